import { Redis } from 'ioredis'
import t from 'tap'
import { answerWithin, ask } from '../../../lib/redis/ask.js'
import { CircuitBreaker } from '../../../lib/resilience/circuit-breaker.js'
import { startRedis } from '../../../tools/shared/redis.js'

t.test('a command to a Redis that hangs ends at its deadline, and the commands after it are not sent', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const clock = { now: 0 }
  const breaker = new CircuitBreaker({ failureThreshold: 1, openDurationMs: 1_000, now: () => clock.now })
  let sent = 0
  const increment = (): Promise<number | null> => ask(() => {
    sent++
    return redis.incr('count')
  }, 200, breaker)
  t.equal(await increment(), 1)

  process.kill(server.pid(), 'SIGSTOP')
  t.equal(await increment(), null)
  t.equal(await increment(), null)
  t.equal(sent, 2)
  const startedAt = performance.now()
  await t.rejects(answerWithin(100, redis.get('count')), { message: 'no answer within 100 ms' })
  t.ok(performance.now() - startedAt < 5_000)

  process.kill(server.pid(), 'SIGCONT')
  await redis.ping()
  t.equal(await increment(), null, 'the breaker is open')
  clock.now += 1_000
  t.equal(await increment(), 3, 'the command that was given up had been sent')
  t.equal(await increment(), 4)
})

t.test('the error of a command is the error of its answer, or no answer', async t => {
  const breaker = new CircuitBreaker({ failureThreshold: 1, openDurationMs: 1_000, now: () => 0 })
  const fails = async (): Promise<never> => { throw new Error('refused') }
  await t.rejects(answerWithin(1_000, fails()), { message: 'refused' })
  t.equal(await ask(fails, 1_000, breaker), null)
  t.equal(breaker.allows(), false)
})

t.test('a deadline that was met does not keep the process alive', async t => {
  const before = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  t.equal(await answerWithin(60_000, Promise.resolve('answer')), 'answer')
  t.equal(process.getActiveResourcesInfo().filter(name => name === 'Timeout').length, before)
})
