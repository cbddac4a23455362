import t from 'tap'
import { execFileSync } from 'node:child_process'
import { Cluster } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import type { Spool } from '../../../../lib/spool/spool.js'
import { findPort } from '../../../../tools/shared/ports.js'
import { startRedis } from '../../../../tools/shared/redis.js'
import { append, drain, itemsOf, letter, record, records, spoolOptions, takeSoon } from '../contract.js'

/** The cluster bus listens on the port of the node and 10,000. */
async function nodePort (): Promise<number> {
  for (;;) {
    const port = await findPort()
    if (port < 55_000) return port
  }
}

const nodes = await Promise.all([0, 1, 2].map(async () => startRedis({
  port: await nodePort(), args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '3000', '--repl-diskless-sync-delay', '0']
})))
t.teardown(() => Promise.all(nodes.map(node => node.stop())))
execFileSync('redis-cli', ['--cluster', 'create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-yes'], { stdio: 'ignore' })

const cluster = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })), { clusterRetryStrategy: () => 100 })
t.teardown(() => cluster.disconnect())
while (!String(await cluster.cluster('INFO')).includes('cluster_state:ok')) await sleep(50)

const SHARDS = 8
const open = (prefix: string): Promise<Spool> => openRedisSpool({ ...spoolOptions(), redis: cluster, prefix, shards: SHARDS, sync: 'commit' })

t.test('appends, takes and settles across the nodes of a cluster', async t => {
  const spool = await open('across')
  t.teardown(() => spool.close())
  await Promise.all(Array.from({ length: 60 }, (_, i) => append(spool, `d${i % 20}`, record(i))))
  t.match(await spool.depth(), { records: 60, items: 60 })
  const used = await Promise.all(cluster.nodes('master').map(async node => (await node.keys('{across:*}:q:*')).length))
  t.ok(used.every(keys => keys > 0), 'every node has destinations')
  t.same((await drain(spool)).sort((a, b) => Number(a) - Number(b)), Array.from({ length: 60 }, (_, i) => i))
  t.match(await spool.ledger(), { accepted: 60, delivered: 60, inSpool: 0 })
})

t.test('releases, repeats and redrives in a cluster', async t => {
  const spool = await open('others')
  t.teardown(() => spool.close())
  const keyed = { application: 'shop', key: 'k', digest: 'digest', answer: 'first', holdMs: 10_000 }
  const appends = [{ kind: 'logs' as const, destination: 'd', records: records(3), part: '' }]
  const first = await spool.appendOnce(appends, keyed)
  t.equal(first.state, 'stored')
  t.same(await spool.appendOnce(appends, keyed), { state: 'under-way' })
  if (first.state === 'stored') await first.finish()
  t.same(await spool.appendOnce(appends, keyed), { state: 'answered', answer: 'first' })
  await spool.release(await takeSoon(spool), 0)
  const lease = await takeSoon(spool)
  t.equal(lease.attempt, 1)
  await spool.extend(lease)
  await spool.settle(lease, { delivered: 1, deadLetters: [letter('dead')], remainder: [record('rest')] })
  t.equal((await spool.deadLetters.list({}, { limit: 5 })).deadLetters.length, 1)
  t.equal(await spool.deadLetters.redrive({}), 1)
  t.equal((await drain(spool)).length, 2)
  t.match(await spool.ledger(), { accepted: 3, delivered: 3, deadLettered: 0, inSpool: 0 })
})

t.test('hears across the nodes of a cluster what becomes due', async t => {
  const spool = await open('heard')
  t.teardown(() => spool.close())
  const heard = new Set<string>()
  spool.onDue(kind => heard.add(kind))
  for (let i = 0; heard.size === 0 && i < 100; i++) {
    await spool.append({ kind: 'metrics', destination: `d${i}`, records: [record(i)], urgent: true })
    await sleep(20)
  }
  t.same([...heard], ['metrics'])
  let settled = 0
  for (const { items } = await spool.depth(); settled < items;) {
    const lease = await takeSoon(spool, 'metrics')
    await spool.settle(lease, { delivered: itemsOf(lease) })
    settled += itemsOf(lease)
  }
})

t.test('a probe finds each node that takes no writes', async t => {
  const spool = await open('probed')
  t.teardown(() => spool.close())
  await t.resolves(spool.probe())
  for (const node of cluster.nodes('master')) {
    await node.config('SET', 'min-replicas-to-write', '1')
    await t.rejects(spool.probe(), { name: 'SpoolUnavailableError', message: /NOREPLICAS/ })
    await node.config('SET', 'min-replicas-to-write', '0')
    await t.resolves(spool.probe())
  }
})

t.test('each node that is gone takes only its own part away', async t => {
  const spool = await open('outage')
  t.teardown(() => spool.close())
  for (let i = 0; i < 12; i++) await append(spool, `d${i}`, record(i))
  await nodes[2]!.kill()
  await t.rejects(spool.probe(), { name: 'SpoolUnavailableError' })
  const results = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => append(spool, `d${i}`, record(i))))
  t.ok(results.every(result => result.status === 'fulfilled' || result.reason.name === 'SpoolUnavailableError'))
})
