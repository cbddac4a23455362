import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedSpool } from '../../../../lib/spool/embedded/embedded-spool.js'
import { keyBytesOf } from '../../../../lib/spool/key-limits.js'
import type { LeasedRecord, Spool, SpoolOptions } from '../../../../lib/spool/spool.js'
import { useWallClock } from '../../../helpers/wall-clock.js'
import { append, itemsOf, names, record, spoolOptions, takeSoon } from '../contract.js'

const DAY_MS = 24 * 3_600_000
const SET_BY = [DAY_MS, -DAY_MS]

async function open (t: Test, dataDir: string, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const spool = await openEmbeddedSpool({ ...spoolOptions(options), dataDir, sync: 'commit' })
  t.teardown(() => spool.close())
  return spool
}

for (const setBy of SET_BY) {
  const set = setBy > 0 ? 'forward' : 'back'

  t.test(`a clock that is set ${set} by a day does not end a lease, and does not keep it from ending`, async t => {
    const wallClock = useWallClock(t)
    const spool = await open(t, t.testdir(), { leaseMs: 700 })
    await append(spool, 'd', record('a'))
    const first = await takeSoon(spool)
    wallClock.set(setBy)
    t.equal((await spool.take('logs')).lease, null, 'it is held')
    const second = await takeSoon(spool)
    t.same(names(second), ['a'], 'it has expired')
    await spool.settle(first, { delivered: 1 })
    t.match(await spool.ledger(), { delivered: 0, inSpool: 1 })
  })

  t.test(`a clock that is set ${set} by a day does not end a delay, and does not lengthen it`, async t => {
    const wallClock = useWallClock(t)
    const spool = await open(t, t.testdir())
    await append(spool, 'd', record('a'))
    await spool.release(await takeSoon(spool), 400)
    wallClock.set(setBy)
    const { lease, ...rest } = await spool.take('logs')
    t.equal(lease, null, 'it is held')
    t.ok((rest as { nextDueMs: number }).nextDueMs <= 400)
    t.same(names(await takeSoon(spool)), ['a'])
  })

  t.test(`a clock that is set ${set} by a day does not end a linger, and does not lengthen it`, async t => {
    const wallClock = useWallClock(t)
    const spool = await open(t, t.testdir(), { lingerMs: 400 })
    await append(spool, 'd', record('a'))
    wallClock.set(setBy)
    t.equal((await spool.take('logs')).lease, null, 'it lingers in the journal')
    await sleep(250)
    t.equal((await spool.take('logs')).lease, null, 'it lingers in the tables')
    await append(spool, 'd', record('b'))
    t.same(names(await takeSoon(spool)), ['a', 'b'])
  })

  t.test(`what was stored before the clock was set ${set} by a day is due after its linger, and no age is negative`, async t => {
    const wallClock = useWallClock(t)
    const dataDir = t.testdir()
    const before = await open(t, dataDir, { lingerMs: 60_000 })
    await append(before, 'd', record('a'))
    await before.close()
    wallClock.set(setBy)
    const after = await open(t, dataDir, { lingerMs: 300 })
    t.ok((await after.depth()).oldestAgeMs >= 0)
    t.equal(
      (await after.take('logs')).lease === null,
      setBy < 0,
      'at once when it is as old as that, and else as if it were new'
    )
    if (setBy < 0) t.same(names(await takeSoon(after)), ['a'])
  })
}

t.test('a clock that is set back does not keep dead letters from being redriven, each once', async t => {
  const wallClock = useWallClock(t)
  const spool = await open(t, t.testdir())
  for (const name of ['a', 'b']) {
    await append(spool, name, record(name))
    const lease = await takeSoon(spool)
    const [{ line, items, bytes }] = lease.records as [LeasedRecord]
    await spool.settle(lease, { delivered: 0, deadLetters: [{ line, items, bytes, reason: 'refused', message: 'no' }] })
  }
  wallClock.set(-DAY_MS)
  t.equal(await spool.deadLetters.redrive({}), 2)
  t.match(await spool.ledger(), { deadLettered: 0, inSpool: 2 })
})

t.test('a clock that is set back does not keep appends from a disk that has room again', async t => {
  const wallClock = useWallClock(t)
  let free = 0
  const spool = await openEmbeddedSpool({
    ...spoolOptions(),
    dataDir: t.testdir(),
    sync: 'commit',
    diskFree: () => free
  })
  t.teardown(() => spool.close())
  await t.rejects(append(spool, 'd', record('a')), { name: 'SpoolFullError' })
  free = 2 ** 40
  wallClock.set(-DAY_MS)
  await sleep(300)
  await t.resolves(append(spool, 'd', record('a')))
  t.equal(itemsOf(await takeSoon(spool)), 1)
})

t.test('the idempotency keys of a clock that was set back are not the first to be forgotten', async t => {
  const wallClock = useWallClock(t)
  const keys = 8
  const spool = await open(t, t.testdir(), { maxBytes: 16 * keys * keyBytesOf('answer') })
  const store = async (i: number): Promise<string> => {
    const request = { application: 'shop', key: `key ${i}`, digest: 'digest', answer: 'answer', holdMs: 1_000 }
    const result = await spool.appendOnce([{ kind: 'logs', destination: 'd', records: [record(i)], part: '' }], request)
    if (result.state === 'stored') await result.finish()
    // Keys are forgotten when the tables are written.
    await spool.take('logs', { flush: true })
    return result.state
  }
  for (let i = 0; i < 2 * keys; i++) await store(i)
  wallClock.set(-DAY_MS / 8)
  t.equal(await store(100), 'stored')
  wallClock.set(0)
  for (let i = 200; i < 204; i++) await store(i)
  t.equal(await store(100), 'answered')
  t.equal(await store(0), 'stored', 'the oldest is forgotten')
})
