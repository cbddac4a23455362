import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { DueShards } from '../../../../lib/spool/redis/due-shards.js'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import type { Spool } from '../../../../lib/spool/spool.js'
import { eventually } from '../../../helpers/app.js'
import { connectTo } from '../../../helpers/redis-forms.js'
import { startServer } from '../../../helpers/redis-server.js'
import { itemsOf, letter, records, spoolOptions } from '../contract.js'

const BASES = ['a', 'b', 'c']

/** Returns when the worker hears what another process tells. */
async function listen (worker: Spool, other: Spool): Promise<void> {
  let heard = false
  worker.onDue(() => { heard = true })
  await eventually(async () => {
    // Of a destination that is due already nobody is told again.
    await other.append({ kind: 'metering', destination: randomUUID(), records: records(1), urgent: true })
    return heard ? true : undefined
  })
}

function setUp () {
  const clock = { now: 1_000 }
  const shards = new DueShards(() => clock.now)
  const answer = (base: string, waitMs: number | null): void => {
    shards.asking(base)
    shards.answered(base, waitMs)
  }
  return { clock, shards, answer }
}

t.test('a process that does not listen asks every shard, the one asked longest ago first', async t => {
  const { clock, shards, answer } = setUp()
  t.same(shards.toAsk(BASES), BASES)
  answer('a', 0)
  clock.now += 1
  answer('b', null)
  clock.now += 1
  t.same(shards.toAsk(BASES), ['c', 'a', 'b'])
})

t.test('a process that listens asks a shard when it is due, and now and then all the same', async t => {
  const { clock, shards, answer } = setUp()
  shards.listening()
  t.same(shards.toAsk(BASES), BASES, 'each once')
  answer('a', 300)
  answer('b', null)
  answer('c', 60_000)
  t.same(shards.toAsk(BASES), [])
  t.equal(shards.nextDueMs(BASES), 300)
  t.equal(shards.nextDueMs(['b']), null)
  clock.now += 300
  t.same(shards.toAsk(BASES), ['a'])
  answer('a', null)
  clock.now += 4_699
  t.same(shards.toAsk(BASES), [])
  clock.now += 1
  t.same(shards.toAsk(BASES), ['b', 'c'])
})

t.test('what others tell counts from then on, also when it comes while the shard is asked', async t => {
  const { clock, shards, answer } = setUp()
  shards.listening()
  for (const base of BASES) answer(base, null)
  shards.told('b', 50)
  t.equal(shards.nextDueMs(BASES), 50)
  shards.told('b', 500)
  t.equal(shards.nextDueMs(BASES), 50, 'the earlier time counts')
  clock.now += 50
  shards.asking('b')
  shards.told('b', 10)
  shards.answered('b', null)
  t.equal(shards.nextDueMs(BASES), 10)
})

t.test('a shard that has given a lease stands behind those that are due already', async t => {
  const { clock, shards, answer } = setUp()
  shards.listening()
  for (const base of BASES) answer(base, base === 'a' ? 0 : 10)
  clock.now += 20
  t.same(shards.toAsk(BASES), BASES)
  answer('a', 0)
  t.same(shards.toAsk(BASES), ['b', 'c', 'a'])
})

for (const listens of [true, false]) {
  t.test(`a hot shard keeps no other waiting for a process that ${listens ? 'listens' : 'asks'}`, async t => {
    const server = await startServer(t)
    const open = async (): Promise<Spool> => {
      const redis = await connectTo(t, server.url)
      const options = { ...spoolOptions({ lingerMs: 100 }), redis, prefix: 'fair', shards: 3, sync: 'commit' as const }
      const spool = await openRedisSpool(options)
      t.teardown(() => spool.close())
      return spool
    }
    const [web, worker] = [await open(), await open()]
    if (listens) await listen(worker, web)
    // The numbers at their ends put them into three shards.
    const [hot, ...calm] = ['d0', 'd1', 'd2'] as const
    await worker.take('logs')
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 10; i++) await web.append({ kind: 'logs', destination: hot, records: records(10) })
      for (const destination of calm) await web.append({ kind: 'logs', destination, records: records(1) })
      await sleep(150)
      const taken: string[] = []
      for (let i = 0; i < 6; i++) {
        const { lease } = await worker.take('logs')
        if (lease === null) continue
        taken.push(lease.destination)
        await worker.settle(lease, { delivered: itemsOf(lease) })
      }
      for (const destination of calm) t.ok(taken.includes(destination), `${destination} is among ${taken.join()}`)
      t.ok(taken.includes(hot))
    }
  })
}

t.test('one process asks at once for what another has stored, released or redriven', async t => {
  const server = await startServer(t)
  const open = async (): Promise<Spool> => {
    const redis = await connectTo(t, server.url)
    const options = { ...spoolOptions({ lingerMs: 20 }), redis, prefix: 'told', shards: 2, sync: 'commit' as const }
    const spool = await openRedisSpool(options)
    t.teardown(() => spool.close())
    return spool
  }
  const [web, worker] = [await open(), await open()]
  await listen(worker, web)
  t.same(await worker.take('logs'), { lease: null, nextDueMs: null })
  /** Well before the worker would ask without having been told. */
  const takenSoon = () => eventually(async () => (await worker.take('logs')).lease ?? undefined, 3_000, 5)

  await web.append({ kind: 'logs', destination: 'd', records: records(1) })
  const lease = await takenSoon()
  await worker.settle(lease, { delivered: 1 })

  await web.append({ kind: 'logs', destination: 'd', records: records(1) })
  const ofWeb = await eventually(async () => (await web.take('logs')).lease ?? undefined)
  t.equal((await worker.take('logs')).lease, null)
  await web.release(ofWeb, 30)
  const released = await takenSoon()
  await worker.settle(released, { delivered: 0, deadLetters: [letter('dead')] })

  t.same(await worker.take('logs'), { lease: null, nextDueMs: null })
  t.equal(await web.deadLetters.redrive({}), 1)
  await worker.settle(await takenSoon(), { delivered: 1 })
  t.match(await worker.ledger(), { delivered: 2, deadLettered: 0 })
})
