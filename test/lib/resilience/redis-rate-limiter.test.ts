import { Redis } from 'ioredis'
import t from 'tap'
import { BURST_SECONDS, type RateLimiter } from '../../../lib/resilience/rate-limiter.js'
import { RedisRateLimiter } from '../../../lib/resilience/redis-rate-limiter.js'
import { redisEnvironment } from '../../helpers/app.js'
import { startRedis } from '../../../tools/shared/redis.js'

const never = new AbortController().signal

/** Calls as fast as the rate limiter allows until the signal is aborted. */
async function callUntil (signal: AbortSignal, rateLimiter: RateLimiter): Promise<number> {
  for (let calls = 0; ; calls++) {
    try {
      await rateLimiter.acquire(signal)
    } catch {
      return calls
    }
  }
}

t.test('a fleet shares one rate', async t => {
  const { REDIS_URL, REDIS_PREFIX } = await redisEnvironment(t)
  const connect = (): Redis => {
    const redis = new Redis(REDIS_URL)
    t.teardown(() => redis.disconnect())
    return redis
  }
  const join = (key: string, cap: number): RedisRateLimiter =>
    new RedisRateLimiter({ redis: connect(), key: `${REDIS_PREFIX}:${key}`, cap, now: () => performance.now() })

  await t.test('all of it together stays within the cap, and nobody is left out', async t => {
    const fleet = [join('rate:a', 60), join('rate:a', 60), join('rate:a', 60)]
    const startedAt = performance.now()
    const timeout = AbortSignal.timeout(2_000)
    const calls = await Promise.all(fleet.map(rateLimiter => callUntil(timeout, rateLimiter)))
    const possible = (performance.now() - startedAt) / 1_000 * 60 + 60 * BURST_SECONDS + 5
    const total = calls.reduce((a, b) => a + b, 0)
    t.ok(total <= possible && total > 60, `${total} calls of ${possible}`)
    for (const own of calls) t.ok(own > total / 10, `${own} of ${total}`)
  })

  await t.test('a server whose clock is set back holds no call back', async t => {
    const key = `${REDIS_PREFIX}:rate:back`
    const ahead = Date.now() + 600_000
    await connect().hset(key, { next: ahead, max: 50, cut: ahead, start: ahead, calls: 3, before: 3, at: ahead })
    const startedAt = performance.now()
    await join('rate:back', 60).acquire(AbortSignal.timeout(10_000))
    t.ok(performance.now() - startedAt < 5_000)
  })

  await t.test('a throttle of one slows the others down', async t => {
    const [one, other] = [join('rate:b', 1_000), join('rate:b', 1_000)]
    for (let i = 0; i < 20; i++) await one.acquire(never)
    one.throttled()
    await one.acquire(never)
    const timeout = AbortSignal.timeout(1_000)
    const calls = await callUntil(timeout, other)
    t.ok(calls < 100, `${calls} calls in a second, where 1,000 were allowed before`)
  })

  await t.test('the Retry-After of the server holds all of them back', async t => {
    const [one, other] = [join('rate:c', 1_000), join('rate:c', 1_000)]
    await Promise.all([one.acquire(never), other.acquire(never)])
    one.throttled(400)
    await one.acquire(never)
    const startedAt = performance.now()
    one.throttled(400)
    await new Promise(resolve => setTimeout(resolve, 50))
    await other.acquire(never)
    t.ok(performance.now() - startedAt > 300)
  })

  await t.test('another key is another rate', async t => {
    const [slow, fast] = [join('rate:d', 1_000), join('rate:e', 1_000)]
    slow.throttled(5_000)
    await t.resolves(fast.acquire(AbortSignal.timeout(1_000)))
  })
})

t.test('while Redis does not answer, each process keeps to its own rate, and returns to the shared one', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const [redis, operator] = [new Redis(server.url), new Redis(server.url)]
  t.teardown(() => [redis, operator].forEach(client => client.disconnect()))
  const rateLimiter = new RedisRateLimiter({ redis, key: 'rate', cap: 50, now: () => performance.now() })
  await rateLimiter.acquire(never)
  t.equal(await operator.exists('rate'), 1)

  await operator.call('CLIENT', 'PAUSE', '2000', 'ALL')
  const startedAt = performance.now()
  const calls = await callUntil(AbortSignal.timeout(1_500), rateLimiter)
  const possible = (performance.now() - startedAt) / 1_000 * 50 + 50 * BURST_SECONDS + 5
  t.ok(calls > 10 && calls <= possible, `${calls} calls of ${possible}`)

  await operator.del('rate')
  const deadline = Date.now() + 8_000
  while (await operator.exists('rate') === 0 && Date.now() < deadline) await rateLimiter.acquire(never)
  t.equal(await operator.exists('rate'), 1)
})

t.test('without a connection, too', async t => {
  const redis = new Redis('redis://127.0.0.1:1', { lazyConnect: true, retryStrategy: null })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  const rateLimiter = new RedisRateLimiter({ redis, key: 'rate', cap: 50, now: () => performance.now() })
  for (let i = 0; i < 20; i++) await rateLimiter.acquire(never)
  rateLimiter.throttled(300)
  const startedAt = performance.now()
  await rateLimiter.acquire(never)
  t.ok(performance.now() - startedAt > 250, 'its own rate limiter has seen the throttle')
})
