import { Redis } from 'ioredis'
import t from 'tap'
import { sendAll } from '../../../lib/redis/redis-client.js'
import { eventually } from '../../helpers/app.js'
import { connectTo } from '../../helpers/redis-forms.js'
import { askServer, startServer } from '../../helpers/redis-server.js'

const SLOTS = 16_384

t.test('a node in cluster mode that does not know its own address is a single node', async t => {
  const node = await startServer(t, { args: ['--cluster-enabled', 'yes'] })
  await askServer(node, async redis => {
    await redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
    await eventually(async () => String(await redis.cluster('INFO')).includes('cluster_state:ok') ? true : undefined)
  })
  const redis = await connectTo(t, node.url)
  t.type(redis, Redis)
  t.same(await sendAll(redis, [['set', 'a', 1], ['set', 'b', 2], ['get', 'a']]), ['OK', 'OK', '1'])
})

t.test('a primary that becomes a replica is left once, however many commands it refuses', async t => {
  const node = await startServer(t)
  const redis = await connectTo(t, node.url) as Redis
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  let left = 0
  redis.on('close', () => { left++ })
  await askServer(node, other => other.replicaof('127.0.0.1', '1'))
  const writes = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => redis.set(`key ${i}`, i)))
  t.ok(writes.every(write => write.status === 'rejected' && /READONLY/.test(String(write.reason))))
  await eventually(() => left === 1 ? true : undefined)

  await askServer(node, other => other.replicaof('NO', 'ONE'))
  await eventually(() => redis.set('key', 'value').catch(() => undefined))
  t.equal(left, 1)
  t.same(warnings, [], 'no listener was added to the socket for each of them')
})
