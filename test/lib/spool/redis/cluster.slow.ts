import t, { type Test } from 'tap'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GatewayCluster } from '../../../../lib/redis/gateway-cluster.js'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import type { Spool } from '../../../../lib/spool/spool.js'
import { startRedisCluster } from '../../../../tools/shared/redis-cluster.js'
import { eventually } from '../../../helpers/app.js'
import { connectTo } from '../../../helpers/redis-forms.js'
import { redisSpools } from '../../../helpers/redis-spools.js'
import {
  append, checkShardChanges, drain, itemsOf, letter, names, record, records, spoolContract, spoolOptions, takeSoon
} from '../contract.js'
import { deadLettersContract } from '../dead-letters-contract.js'
import { ledgerContract } from '../ledger-contract.js'

const servers = await startRedisCluster({ args: ['--cluster-require-full-coverage', 'no'] })
t.teardown(() => servers.stop())
const cluster = await connectTo(t, servers.url) as GatewayCluster

const SHARDS = 8
const open = (prefix: string, shards = SHARDS): Promise<Spool> =>
  openRedisSpool({ ...spoolOptions(), redis: cluster, prefix, shards, sync: 'commit' })

const openSpool = redisSpools(cluster)
spoolContract(openSpool)
deadLettersContract(openSpool)
ledgerContract(openSpool)

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
  t.same(await spool.probe(), [])
  const masters = cluster.nodes('master')
  for (const node of masters) {
    await node.config('SET', 'min-replicas-to-write', '1')
    t.match(await spool.probe(), [new RegExp(`^127\\.0\\.0\\.1:${node.options.port} takes nothing of .*NOREPLICAS`)])
    await node.config('SET', 'min-replicas-to-write', '0')
    t.same(await spool.probe(), [])
  }
  await Promise.all(masters.map(node => node.config('SET', 'min-replicas-to-write', '1')))
  await t.rejects(spool.probe(), { name: 'SpoolUnavailableError', message: /NOREPLICAS/ })
  await Promise.all(masters.map(node => node.config('SET', 'min-replicas-to-write', '0')))
})

/** The slot of a key, its node, and another one. */
async function placeOf (key: string): Promise<{ slot: number, from: Redis, to: Redis }> {
  const slot = await cluster.cluster('KEYSLOT', key)
  const owner = cluster.slots[slot]![0]
  const masters = cluster.nodes('master')
  const nameOf = ({ options }: Redis): string => `${options.host}:${options.port}`
  return {
    slot,
    from: masters.find(node => nameOf(node) === owner)!,
    to: masters.find(node => nameOf(node) !== owner)!
  }
}

const idOf = async (node: Redis): Promise<string> => await node.cluster('MYID') as string

async function moveKeys (slot: number, from: Redis, to: Redis): Promise<void> {
  const keys = await from.cluster('GETKEYSINSLOT', slot, 1_000) as string[]
  if (keys.length > 0) await from.call('MIGRATE', '127.0.0.1', to.options.port!, '', 0, 5_000, 'KEYS', ...keys)
}

/** @returns ends the move */
async function beginMove (t: Test, slot: number, from: Redis, to: Redis): Promise<() => Promise<void>> {
  const [fromId, toId] = [await idOf(from), await idOf(to)]
  await to.cluster('SETSLOT', slot, 'IMPORTING', fromId)
  await from.cluster('SETSLOT', slot, 'MIGRATING', toId)
  t.equal(await from.cluster('COUNTKEYSINSLOT', slot) > 0, true)
  return async () => {
    await moveKeys(slot, from, to)
    for (const node of [to, from]) await node.cluster('SETSLOT', slot, 'NODE', toId)
  }
}

t.test('while its slot moves a shard refuses what it would store in two places, and has all afterwards', async t => {
  const spool = await open('moved', 1)
  t.teardown(() => spool.close())
  for (let i = 0; i < 10; i++) await append(spool, `d${i % 3}`, record(i))
  const { slot, from, to } = await placeOf('{moved:logs:0}')
  const end = await beginMove(t, slot, from, to)
  const refused = { name: 'SpoolUnavailableError' }
  await t.rejects(append(spool, 'd0', record('refused')), refused, 'before the first key has moved')
  await from.call('MIGRATE', '127.0.0.1', to.options.port!, '{moved:logs:0}:counters', 0, 5_000)
  await t.rejects(append(spool, 'd0', record('refused')), refused, 'between two keys')
  t.same(await to.keys('{moved:logs:0}:q:*'), [], 'nothing was begun at its new place')
  await end()
  await eventually(() => append(spool, 'd0', record('after')).then(() => true, () => undefined))
  t.same((await drain(spool)).map(String).sort(), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'after'])
  t.match(await spool.ledger(), { accepted: 11, delivered: 11, inSpool: 0 })
})

t.test('a shard is heard of at its new node', async t => {
  const spool = await openRedisSpool({
    ...spoolOptions({ lingerMs: 60_000 }), redis: cluster, prefix: 'heard-again', shards: 1, sync: 'commit'
  })
  t.teardown(() => spool.close())
  let heard = 0
  spool.onDue(() => { heard++ })
  const tell = async (): Promise<true | undefined> => {
    const before = heard
    const destination = `d${Math.random()}`
    await spool.append({ kind: 'logs', destination, records: [record(1)], urgent: true }).catch(() => {})
    await sleep(50)
    return heard > before ? true : undefined
  }
  await eventually(tell)
  const { slot, from, to } = await placeOf('{heard-again:logs:0}')
  await (await beginMove(t, slot, from, to))()
  await eventually(tell)
  t.pass()
})

t.test('finds everything after the number of shards was changed', async t => {
  await checkShardChanges(t, shards => open('reshaped', shards))
})

t.test('each node that is gone takes only its own part away', async t => {
  const spool = await open('outage')
  t.teardown(() => spool.close())
  for (let i = 0; i < 12; i++) await append(spool, `d${i}`, record(i))
  const away = servers.masters[2]!
  await away.kill()
  t.match(await spool.probe(), [new RegExp(`^127\\.0\\.0\\.1:${away.port} takes nothing of `)])
  const results = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => append(spool, `d${i}`, record(i))))
  t.ok(results.every(result => result.status === 'fulfilled' || result.reason.name === 'SpoolUnavailableError'))
  const present = results.flatMap(({ status }, i) => status === 'fulfilled' ? [i] : [])
  t.ok(present.length > 0 && present.length < results.length, `${present.length} destinations are there`)
  const found: unknown[] = []
  while (found.length < 2 * present.length) {
    const lease = await takeSoon(spool)
    found.push(...names(lease))
    await spool.settle(lease, { delivered: itemsOf(lease) })
  }
  t.same(found.map(Number).sort((a, b) => a - b), present.flatMap(i => [i, i]), 'what they hold is delivered')
})
