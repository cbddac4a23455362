import t from 'tap'
import { masterNameOf } from '../../../../lib/redis/master-name.js'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import type { Spool } from '../../../../lib/spool/spool.js'
import { startRedisCluster } from '../../../../tools/shared/redis-cluster.js'
import { connectTo } from '../../../helpers/redis-forms.js'
import { askServer } from '../../../helpers/redis-server.js'
import { append, drain, record, spoolOptions } from '../contract.js'

const servers = await startRedisCluster({ replicas: 1 })
t.teardown(() => servers.stop())
const redis = await connectTo(t, servers.url)

async function open (prefix: string): Promise<{ spool: Spool, at: number }> {
  const spool = await openRedisSpool({ ...spoolOptions(), redis, prefix, shards: 1, sync: 'always' })
  t.teardown(() => spool.close())
  const name = masterNameOf(redis, `{${prefix}:logs:0}`)
  return { spool, at: servers.masters.findIndex(({ port }) => name === `127.0.0.1:${port}`) }
}

/** How often each master was asked to wait for replicas. */
const waits = (): Promise<number[]> => Promise.all(servers.masters.map(master => askServer(master, async node =>
  Number(/cmdstat_wait:calls=(\d+)/.exec(await node.info('commandstats'))?.[1] ?? 0))))

t.test('with SPOOL_SYNC=always each append waits for a replica of the master that stores it', async t => {
  const { spool, at } = await open('confirmed')
  const before = await waits()
  for (let i = 0; i < 5; i++) await append(spool, 'd', record(i))
  const after = await waits()
  t.same(after.map((count, i) => count - before[i]!), servers.masters.map((_, i) => i === at ? 5 : 0))
  t.same(await drain(spool), [0, 1, 2, 3, 4])
})

t.test('an append that no replica of its master confirms is refused, whatever the other replicas do', async t => {
  const places = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(open))
  const { spool, at } = places[0]!
  const other = places.find(place => place.at !== at)!
  process.kill(servers.replicas[at]!.pid(), 'SIGSTOP')
  const [refused, taken] = await Promise.allSettled([
    append(spool, 'd', record('refused')), append(other.spool, 'd', record('taken'))
  ])
  process.kill(servers.replicas[at]!.pid(), 'SIGCONT')
  t.match(refused, { reason: { name: 'SpoolUnavailableError', message: /no replica has confirmed/ } })
  t.equal(taken.status, 'fulfilled')
  await append(spool, 'd', record('after'))
})
