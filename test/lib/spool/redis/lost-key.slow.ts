import { crc32 } from 'node:zlib'
import t from 'tap'
import type { GatewayCluster } from '../../../../lib/redis/gateway-cluster.js'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import { startRedisCluster } from '../../../../tools/shared/redis-cluster.js'
import { eventually } from '../../../helpers/app.js'
import { askServer } from '../../../helpers/redis-server.js'
import { connectTo } from '../../../helpers/redis-forms.js'
import { records, spoolOptions } from '../contract.js'

const PREFIX = 'lost'
const KEY_SHARDS = 4

t.test('a repeated request is stored once, also when its key was lost with the node that had it', async t => {
  const args = ['--cluster-require-full-coverage', 'no', '--appendonly', 'yes', '--appendfsync', 'always']
  const servers = await startRedisCluster({ replicas: 1, args })
  t.teardown(() => servers.stop())
  const cluster = await connectTo(t, servers.url) as GatewayCluster
  const spool = await openRedisSpool({ ...spoolOptions(), redis: cluster, prefix: PREFIX, shards: 1, sync: 'always' })
  t.teardown(() => spool.close())

  const nodeOf = async (base: string): Promise<string> => cluster.slots[await cluster.cluster('KEYSLOT', base)]![0]!
  const nodeOfKey = async (key: string): Promise<string> => await nodeOf(`{${PREFIX}:keys:${crc32(key) % KEY_SHARDS}}`)
  let key = 'key-0'
  for (let i = 1; await nodeOfKey(key) === await nodeOf(`{${PREFIX}:logs:0}`); i++) key = `key-${i}`
  const node = await nodeOfKey(key)
  const at = servers.masters.findIndex(({ port }) => node.endsWith(`:${port}`))
  const [master, replica] = [servers.masters[at]!, servers.replicas[at]!]

  const request = { application: 'shop', key, digest: 'digest', answer: 'first', holdMs: 100 }
  const send = () => spool.appendOnce([{ kind: 'logs', destination: 'd', records: records(1), part: '' }], request)
  const first = await send()
  t.equal(first.state, 'stored')
  process.kill(replica.pid(), 'SIGSTOP')
  if (first.state === 'stored') await first.finish()
  await master.kill()
  await replica.restart()
  await askServer(replica, redis => redis.cluster('FAILOVER', 'TAKEOVER'))

  const again = await eventually(() => send().then(
    result => result.state === 'under-way' ? undefined : result, () => undefined
  ))
  t.same(again, { state: 'answered', answer: 'first' })
  t.match(await spool.depth(), { records: 1 })
})
