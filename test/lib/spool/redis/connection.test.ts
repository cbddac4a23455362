import t from 'tap'
import { Redis } from 'ioredis'
import { Connection } from '../../../../lib/spool/redis/connection.js'
import { redisUrl } from '../../../helpers/app.js'

t.test('many who wait for one connection share its listeners, and are all served', async t => {
  const redis = new Redis(await redisUrl(t), { lazyConnect: true })
  t.teardown(() => redis.disconnect())
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const connection = new Connection(redis, 10_000)
  const before = redis.listenerCount('ready')
  const answers = Promise.all(Array.from({ length: 50 }, () => connection.run(client => client.ping())))
  t.equal(redis.listenerCount('ready'), before + 1)
  t.same(new Set(await answers), new Set(['PONG']))
  t.equal(redis.listenerCount('ready'), before)
  await new Promise(setImmediate)
  t.same(warnings, [])
})

t.test('all who wait are told when the connection ends', async t => {
  const redis = new Redis('redis://127.0.0.1:1', { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  const connection = new Connection(redis, 10_000)
  const results = await Promise.allSettled(Array.from({ length: 3 }, () => connection.run(client => client.ping())))
  for (const result of results) t.match(result, { status: 'rejected', reason: { name: 'SpoolUnavailableError' } })
})
