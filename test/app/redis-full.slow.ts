import { Redis } from 'ioredis'
import t from 'tap'
import { eventually, startGateway } from '../helpers/app.js'
import { startRedis } from '../../tools/shared/redis.js'

const GROUP = '/redis-full'
const EVENTS = 200

/** As much as a server needs for itself, and less than it has in use. */
const NO_MEMORY = 1

t.test('above the maxmemory of Redis new items are refused, and those that wait are delivered', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const { app, sandbox, post, token } = await startGateway(t, { REDIS_URL: server.url, FLUSH_INTERVAL_MS: '1500' })
  const headers = { authorization: `Bearer ${await token()}` }
  const send = (message: string, logStreamName = 's') =>
    post('/logEvents', { logGroupName: GROUP, logStreamName, logEvents: [{ message }] }, headers)

  const before = await Promise.all(Array.from({ length: EVENTS }, (_, i) => send(`event ${i}`, `s${i % 4}`)))
  t.ok(before.every(({ status }) => status === 201))
  await redis.config('SET', 'maxmemory', NO_MEMORY)

  const refused = await send('too much')
  t.equal(refused.status, 503)
  t.match(await refused.json(), { error: { code: 160 } })
  t.ok(Number(refused.headers.get('retry-after')) > 0)

  const delivered = await eventually(() => {
    const items = [...sandbox.items(GROUP)]
    return items.length >= EVENTS ? items : undefined
  }, 10_000).catch(() => [...sandbox.items(GROUP)])
  t.equal(delivered.length, EVENTS)
  await eventually(async () => (await app.spool.depth()).items === 0 ? true : undefined, 5_000)
  t.match(await app.spool.ledger(), { accepted: EVENTS, delivered: EVENTS })

  await redis.config('SET', 'maxmemory', 0)
  await eventually(async () => (await send('room again')).status === 201 ? true : undefined)
})

t.test('a gateway starts on a Redis above its maxmemory, with more shards, and delivers what waits there', async t => {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  const environment = { REDIS_URL: server.url, FLUSH_INTERVAL_MS: '60000', SHUTDOWN_GRACE_MS: '1' }
  const first = await startGateway(t, { ...environment, FORWARDER: 'off' })
  const headers = { authorization: `Bearer ${await first.token()}` }
  const body = { logGroupName: GROUP, logStreamName: 's', logEvents: [{ message: 'waits' }] }
  const { status } = await first.post('/logEvents', body, headers)
  t.equal(status, 201)
  await first.app.close()
  await redis.config('SET', 'maxmemory', NO_MEMORY)

  const second = await startGateway(t, { ...environment, REDIS_SHARDS: '9', SHUTDOWN_GRACE_MS: '8000' })
  await second.app.close()
  const delivered = [...second.sandbox.items(GROUP)].map(({ message }) => message)
  t.same(delivered, ['waits'], 'the items that linger are delivered at the end')
})
