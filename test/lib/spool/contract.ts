import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  SpoolFullError, SpoolUnavailableError, type AppendOnceResult, type KeyedRequest, type Lease, type NewDeadLetter,
  type Spool, type SpoolOptions, type SpoolRecord
} from '../../../lib/spool/spool.js'
import { KINDS, type Kind } from '../../../schemas/kinds.js'

/** An open spool with a store of its own. */
export interface SpoolFixture {
  spool: Spool
  /** Closes the spool and opens another on the same store. */
  reopen (): Promise<Spool>
  /** Overwrites every stored value, as a damaged disk would, and opens the spool again. */
  damage (): Promise<Spool>
}

/** Closes and removes everything when the test ends. */
export type OpenSpool = (t: Test, options: SpoolOptions) => Promise<SpoolFixture>

/**
 * @param launch opens the spool on a store of its own
 * @param overwrite overwrites every stored value, and may close the spool
 */
export async function openFixture (
  t: Test, launch: () => Promise<Spool>, overwrite: (spool: Spool) => Promise<void>
): Promise<SpoolFixture> {
  const fixture: SpoolFixture = {
    spool: await launch(),
    async reopen () {
      await fixture.spool.close()
      fixture.spool = await launch()
      return fixture.spool
    },
    async damage () {
      await overwrite(fixture.spool)
      return await fixture.reopen()
    }
  }
  t.teardown(() => fixture.spool.close())
  return fixture
}

/** Longer than any test. */
const NEVER_MS = 600_000
const KEY = 'Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A'

export function spoolOptions (overrides: Partial<SpoolOptions> = {}): SpoolOptions {
  const batch = { items: 10, bytes: 10_000 }
  return {
    lingerMs: 10,
    leaseMs: NEVER_MS,
    maxBytes: 50_000_000,
    limits: { metrics: batch, logs: batch, metering: batch },
    deadLetterMaxAgeMs: NEVER_MS,
    deadLetterMaxBytes: 1_000_000,
    ...overrides
  }
}

export function record (name: string | number, items = 1, bytes = 100): SpoolRecord {
  return { line: JSON.stringify({ name, text: 'größer als ASCII' }), items, bytes }
}

export function records (count: number, from = 0): SpoolRecord[] {
  return Array.from({ length: count }, (_, i) => record(from + i))
}

export function append (spool: Spool, destination: string, ...rest: SpoolRecord[]): ReturnType<Spool['append']> {
  return spool.append({ kind: 'logs', destination, records: rest })
}

/** A request with this key, whose record and answer have this name. */
function keyed (key: string, answer: string, request: Partial<KeyedRequest> = {}): KeyedRequest {
  return { application: 'shop', key, digest: 'digest', answer, holdMs: NEVER_MS, ...request }
}

function appendOnce (spool: Spool, request: KeyedRequest): Promise<AppendOnceResult> {
  return spool.appendOnce([{ kind: 'logs', destination: 'd', records: [record(request.answer)], part: '' }], request)
}

async function storedOnce (t: Test, spool: Spool, request: KeyedRequest): Promise<void> {
  const result = await appendOnce(spool, request)
  t.equal(result.state, 'stored')
  if (result.state === 'stored') await result.finish()
}

export function letter (name: string, reason: NewDeadLetter['reason'] = 'refused'): NewDeadLetter {
  return { ...record(name), reason, message: `${name} was refused` }
}

export const lines = (lease: Lease): string[] => lease.records.map(({ line }) => line)
export const names = (lease: Lease): unknown[] => lease.records.map(({ line }) => JSON.parse(line).name)
export const itemsOf = (lease: Lease): number => lease.records.reduce((sum, { items }) => sum + items, 0)

/** Takes as soon as something is due. */
export async function takeSoon (spool: Spool, kind: Kind = 'logs', withinMs = 10_000): Promise<Lease> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const taken = await spool.take(kind)
    if (taken.lease !== null) return taken.lease
    if (Date.now() > deadline) throw new Error(`nothing was due within ${withinMs} ms, next in ${taken.nextDueMs} ms`)
    await sleep(Math.min(taken.nextDueMs ?? 5, 20))
  }
}

/** Takes and settles until nothing is stored any more; returns the names of all records. */
export async function drain (spool: Spool, kind: Kind = 'logs'): Promise<unknown[]> {
  const all: unknown[] = []
  while ((await spool.depth(kind)).records > 0) {
    const lease = await takeSoon(spool, kind)
    all.push(...names(lease))
    await spool.settle(lease, { delivered: itemsOf(lease) })
  }
  return all
}

/** Items wait, and dead letters are kept, while the number of shards of a spool is raised, and then lowered. */
export async function checkShardChanges (t: Test, open: (shards: number) => Promise<Spool>): Promise<void> {
  let next = 0
  for (const shards of [2, 16, 1]) {
    const spool = await open(shards)
    for (let i = 0; i < 20; i++) await append(spool, `d${i}`, record(next++))
    const lease = await takeSoon(spool)
    await spool.settle(lease, { delivered: itemsOf(lease) - 1, deadLetters: [letter(`dead ${shards}`)] })
    await spool.close()
  }
  const spool = await open(4)
  t.teardown(() => spool.close())
  const { deadLetters } = await spool.deadLetters.list({}, { limit: 10 })
  t.equal(deadLetters.length, 3)
  t.equal(await spool.deadLetters.redrive({}), 3)
  const { delivered } = await spool.ledger()
  t.equal((await drain(spool)).length, next - delivered)
  t.match(await spool.ledger(), { accepted: next, delivered: next, deadLettered: 0, inSpool: 0 })
}

/** Listens to a spool that may still have to connect; returns once it hears of this destination. */
async function listenTo (spool: Spool, destination: string, listener: (kind: Kind) => void): Promise<() => void> {
  const state = { hears: false, counts: false }
  const stop = spool.onDue(kind => {
    state.hears = true
    if (state.counts) listener(kind)
  })
  while (!state.hears) {
    await spool.append({ kind: 'logs', destination, records: [record('to be heard')], urgent: true })
    await sleep(20)
    // A destination that is due already is not told of again.
    await drain(spool)
  }
  await sleep(50)
  state.counts = true
  return stop
}

async function notDue (t: Test, spool: Spool, message: string): Promise<void> {
  const { lease, ...rest } = await spool.take('logs')
  t.equal(lease, null, message)
  const { nextDueMs } = rest as { nextDueMs: number }
  t.ok(nextDueMs > 0 && nextDueMs <= NEVER_MS, `is due in ${nextDueMs} ms`)
}

async function balanced (t: Test, spool: Spool): Promise<void> {
  const { accepted, delivered, rejected, deadLettered, inSpool } = await spool.ledger()
  t.equal(
    accepted,
    delivered + rejected['too-old'] + rejected['too-new'] + rejected.expired + deadLettered + inSpool,
    'the ledger balances'
  )
  t.equal((await spool.depth()).items, inSpool)
}

/** What every spool promises. */
export function spoolContract (open: OpenSpool): void {
  t.test('leases the destinations that are due of each application in turn, also when it is opened again', async t => {
    const fixture = await open(t, spoolOptions({ lingerMs: 0 }))
    const send = (application: string, destination: string) =>
      fixture.spool.append({ kind: 'logs', application, destination, records: [record(destination)] })
    for (let i = 0; i < 200; i++) await send('hostile', `hostile ${i}`)
    for (let i = 0; i < 9; i++) await send(`good ${i}`, `good ${i}`)
    const spool = await fixture.reopen()
    let takes = 0
    for (let good = 0; good < 9; takes++) {
      const lease = await takeSoon(spool)
      t.equal(lease.application, lease.destination.startsWith('good') ? lease.destination : 'hostile')
      if (lease.destination.startsWith('good')) good++
      await spool.settle(lease, { delivered: 1 })
    }
    t.ok(takes <= 60, `${takes} leases until all others had theirs`)
    await drain(spool)
    await balanced(t, spool)
  })

  t.test('records of two applications for one destination wait and are leased by themselves', async t => {
    const { spool } = await open(t, spoolOptions())
    for (const application of ['shop', 'blog', 'shop']) {
      await spool.append({ kind: 'logs', application, destination: 'd', records: [record(application)] })
    }
    const leases = [await takeSoon(spool), await takeSoon(spool)]
    t.same(leases.map(({ application, destination }) => [application, destination]).sort(), [
      ['blog', 'd'], ['shop', 'd']
    ])
    for (const lease of leases) {
      t.same(names(lease), lease.application === 'shop' ? ['shop', 'shop'] : ['blog'])
      await spool.settle(lease, { delivered: itemsOf(lease) })
    }
    await balanced(t, spool)
  })

  t.test('records keep their application when they are set aside, left over and redriven', async t => {
    const { spool, reopen } = await open(t, spoolOptions())
    await spool.append({ kind: 'logs', application: 'shop', destination: 'd', records: records(4) })
    const [, b, c] = records(4)
    await spool.settle(await takeSoon(spool), {
      delivered: 1, remainder: [b!], unread: [{ ...c!, version: 3 }], unreadDelayMs: 1, deadLetters: [letter('dead')]
    })
    const again = await reopen()
    t.match((await again.deadLetters.list({}, { limit: 10 })).deadLetters, [{ application: 'shop', destination: 'd' }])
    t.equal(await again.deadLetters.redrive({}), 1)
    const seen = new Set<unknown>()
    while (seen.size < 3) {
      const lease = await takeSoon(again)
      t.match(lease, { application: 'shop', destination: 'd' })
      for (const name of names(lease)) seen.add(name)
      await again.settle(lease, { delivered: itemsOf(lease) })
    }
    t.same(seen, new Set([1, 2, 'dead']))

    await again.append({ kind: 'logs', application: 'shop', destination: 'e', records: records(1) })
    await again.settle(await takeSoon(again), { delivered: 0, deadLetters: [letter('dead')] })
    t.equal(await again.deadLetters.redrive({}), 1)
    t.match(await takeSoon(again), { application: 'shop', destination: 'e' }, 'also when nothing else of it waits')
    await balanced(t, again)
  })

  t.test('gives back what was appended, each record with its own items and bytes', async t => {
    const { spool } = await open(t, spoolOptions())
    const before = Date.now()
    const appended = [record('a', 2, 300), record('b', 1, 17), record('c', 3, 5)]
    await t.resolves(append(spool, 'group:stream', ...appended))
    const lease = await takeSoon(spool)
    t.match(lease, { kind: 'logs', destination: 'group:stream', attempt: 0 })
    t.same(lease.records.map(({ line, items, bytes }) => ({ line, items, bytes })), appended)
    for (const { appendedAt } of lease.records) t.ok(appendedAt >= before - 1 && appendedAt <= Date.now() + 1)
  })

  t.test('an empty spool has nothing due', async t => {
    const { spool } = await open(t, spoolOptions())
    for (const kind of KINDS) t.same(await spool.take(kind), { lease: null, nextDueMs: null })
    t.same(await spool.depth(), { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 })
    await spool.probe()
  })

  t.test('keeps the order of appends and of the records in them', async t => {
    const { spool } = await open(t, spoolOptions())
    const all = Array.from({ length: 8 }, (_, i) => [record(`${i}.0`), record(`${i}.1`), record(`${i}.2`)])
    await Promise.all(all.slice(0, 4).map(each => append(spool, 'd', ...each)))
    for (const each of all.slice(4)) await append(spool, 'd', ...each)
    t.same(await drain(spool), all.flat().map(({ line }) => JSON.parse(line).name))
  })

  t.test('one lease never mixes destinations or kinds', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'a', record('a1'))
    await append(spool, 'b', record('b1'))
    await spool.append({ kind: 'metrics', destination: 'a', records: [record('m1')] })
    const leases = [await takeSoon(spool), await takeSoon(spool)]
    t.same(leases.map(lease => [lease.destination, names(lease)]).sort(), [['a', ['a1']], ['b', ['b1']]])
    t.same(names(await takeSoon(spool, 'metrics')), ['m1'])
    t.same((await spool.take('metering')).lease, null)
  })

  t.test('a destination may have any name', async t => {
    const { spool, reopen } = await open(t, spoolOptions())
    const destination = `/größe/"'{}:*\u0001 ${'x'.repeat(1_000)}`
    await append(spool, destination, record('a'))
    const again = await reopen()
    t.equal((await takeSoon(again)).destination, destination)
  })

  t.test('is not due before the linger', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    await append(spool, 'd', record('a'))
    await append(spool, 'd', record('b'))
    await notDue(t, spool, 'waits for company')
  })

  t.test('is due after the linger with what has come meanwhile', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: 150 }))
    await append(spool, 'd', record('a'))
    await append(spool, 'd', record('b'))
    t.same(names(await takeSoon(spool)), ['a', 'b'])
  })

  for (const [name, full] of [
    ['items', records(10)], ['bytes', [record('a', 1, 6_000), record('b', 1, 4_000)]]
  ] as [string, SpoolRecord[]][]) {
    t.test(`is due at once when the ${name} of a full batch wait, and says so`, async t => {
      const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
      let hear: (kind: Kind) => void = () => {}
      const due = new Promise<Kind>(resolve => { hear = resolve })
      await listenTo(spool, 'd', hear)
      await append(spool, 'd', ...full.slice(0, -1))
      await notDue(t, spool, 'not full')
      await append(spool, 'd', full.at(-1)!)
      t.equal(await due, 'logs')
      t.equal((await takeSoon(spool)).records.length, full.length)
    })
  }

  t.test('what has come meanwhile goes with what has lingered', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: 600 }))
    await append(spool, 'd', record('a'))
    await sleep(450)
    await append(spool, 'd', record('b'))
    t.same(names(await takeSoon(spool)), ['a', 'b'])
  })

  t.test('is due at once when urgent, and says so', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    const heard: Kind[] = []
    const stop = await listenTo(spool, 'd', kind => heard.push(kind))
    await append(spool, 'd', record('a'))
    await spool.append({ kind: 'logs', destination: 'd', records: [record('b')], urgent: true })
    t.same(names(await takeSoon(spool)), ['a', 'b'])
    for (let i = 0; i < 100 && heard.length === 0; i++) await sleep(20)
    t.same(heard, ['logs'])
    stop()
    await spool.append({ kind: 'logs', destination: 'd', records: [record('c')], urgent: true })
    t.same(names(await takeSoon(spool)), ['c'])
    await sleep(50)
    t.same(heard, ['logs'], 'a stopped listener hears nothing')
  })

  t.test('an urgent record behind a full batch is due right after it', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    await append(spool, 'd', ...records(10))
    await spool.append({ kind: 'logs', destination: 'd', records: [record('urgent')], urgent: true })
    t.equal((await takeSoon(spool)).records.length, 10)
    t.same(names(await takeSoon(spool)), ['urgent'])
  })

  t.test('a lease holds no more than a batch, by items and by bytes', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'items', ...records(25))
    const leases = [await takeSoon(spool), await takeSoon(spool), await takeSoon(spool)]
    t.same(leases.map(lease => lease.records.length), [10, 10, 5])
    t.same(leases.flatMap(names), Array.from({ length: 25 }, (_, i) => i))
    await append(spool, 'bytes', record('a', 1, 4_000), record('b', 1, 5_000), record('c', 1, 4_000))
    t.same(names(await takeSoon(spool)), ['a', 'b'])
    t.same(names(await takeSoon(spool)), ['c'])
  })

  t.test('a record larger than a batch gets a lease of its own', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a'), record('large', 11, 11_000), record('b'))
    t.same(
      [names(await takeSoon(spool)), names(await takeSoon(spool)), names(await takeSoon(spool))],
      [['a'], ['large'], ['b']]
    )
  })

  t.test('what is leased is not leased again, what comes later is', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a'))
    const first = await takeSoon(spool)
    await notDue(t, spool, 'all is leased')
    await append(spool, 'd', record('b'))
    const second = await takeSoon(spool)
    t.same([names(first), names(second)], [['a'], ['b']])
    t.not(first.id, second.id)
    await spool.settle(second, { delivered: 1 })
    await spool.settle(first, { delivered: 1 })
    t.same(await spool.take('logs'), { lease: null, nextDueMs: null })
  })

  t.test('a released lease comes back unchanged, and counts attempts until something is settled', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a', 2, 50), record('b', 3, 60))
    const first = await takeSoon(spool)
    await spool.release(first, 0)
    const second = await takeSoon(spool)
    t.same(second.records, first.records)
    t.equal(second.attempt, 1)
    await spool.release(second, 1)
    const third = await takeSoon(spool)
    t.equal(third.attempt, 2)
    await spool.release(second, 0)
    await notDue(t, spool, 'a lease that is released already changes nothing')
    await spool.settle(third, { delivered: 2, remainder: [record('b', 3, 60)] })
    t.equal((await takeSoon(spool)).attempt, 0)
    await balanced(t, spool)
  })

  t.test('a delayed settlement without any outcome counts as an attempt', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a'), record('b'))
    await spool.settle(await takeSoon(spool), { delivered: 0, remainder: records(2), delayMs: 1 })
    const second = await takeSoon(spool)
    t.equal(second.attempt, 1)
    await spool.settle(second, { delivered: 1, remainder: records(1), delayMs: 1 })
    t.equal((await takeSoon(spool)).attempt, 0, 'progress ends the row')
  })

  t.test('is not due before the delay of a release, whatever comes meanwhile', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a'))
    await spool.release(await takeSoon(spool), NEVER_MS)
    await append(spool, 'd', ...records(30))
    await spool.append({ kind: 'logs', destination: 'd', records: [record('urgent')], urgent: true })
    await sleep(30)
    await notDue(t, spool, 'is held')
    await append(spool, 'other', record('b'))
    t.equal((await takeSoon(spool)).destination, 'other', 'another destination is not')
  })

  t.test('is due when the delay of a release has passed', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    await append(spool, 'd', ...records(10))
    await spool.release(await takeSoon(spool), 100)
    await notDue(t, spool, 'is held')
    t.equal((await takeSoon(spool)).records.length, 10)
  })

  for (const remainder of [[], [record('b')]]) {
    t.test(`is not due before the delay of a settlement that leaves ${remainder.length} records`, async t => {
      const { spool } = await open(t, spoolOptions())
      await append(spool, 'd', record('a'), record('b'))
      await spool.settle(await takeSoon(spool), { delivered: 2 - remainder.length, remainder, delayMs: NEVER_MS })
      await append(spool, 'd', ...records(10))
      await sleep(30)
      await notDue(t, spool, 'is held')
    })
  }

  t.test('a lease that runs out is handed out again, and the late settlement changes nothing', async t => {
    const { spool } = await open(t, spoolOptions({ leaseMs: 150 }))
    await append(spool, 'd', record('a'), record('b'))
    const first = await takeSoon(spool)
    const second = await takeSoon(spool)
    t.same(second.records, first.records)
    t.not(second.id, first.id)
    t.equal(await spool.extend(first), false, 'it is no longer held')
    t.equal(await spool.settle(first, { delivered: 2 }), false, 'its items are delivered again')
    await spool.release(first, 0)
    t.equal((await spool.depth()).records, 2, 'the second holder has them')
    t.equal(await spool.settle(second, { delivered: 1, rejected: { expired: 1 } }), true)
    t.equal(await spool.settle(first, { delivered: 2 }), false)
    t.match(await spool.ledger(), { accepted: 2, delivered: 1, rejected: { expired: 1 }, inSpool: 0 })
  })

  t.test('a lease that runs out comes before younger records', async t => {
    const { spool } = await open(t, spoolOptions({ leaseMs: 800 }))
    await append(spool, 'd', ...records(10))
    await takeSoon(spool)
    await append(spool, 'd', ...records(5, 10))
    await sleep(1_200)
    t.same(names(await takeSoon(spool)), Array.from({ length: 10 }, (_, i) => i))
  })

  t.test('a lease that has run out may still be settled while nobody else has taken it', async t => {
    const { spool } = await open(t, spoolOptions({ leaseMs: 50 }))
    await append(spool, 'd', record('a'))
    const lease = await takeSoon(spool)
    await sleep(100)
    await spool.settle(lease, { delivered: 1 })
    t.match(await spool.ledger(), { delivered: 1, inSpool: 0 })
  })

  t.test('an extended lease does not run out', async t => {
    const { spool } = await open(t, spoolOptions({ leaseMs: 1_000 }))
    await append(spool, 'd', record('a'))
    const lease = await takeSoon(spool)
    for (let i = 0; i < 6; i++) {
      await sleep(250)
      t.equal(await spool.extend(lease), true)
      t.equal((await spool.take('logs')).lease, null)
    }
    t.equal(await spool.settle(lease, { delivered: 1 }), true)
    t.match(await spool.ledger(), { delivered: 1, inSpool: 0 })
    t.equal(await spool.extend(lease), false)
  })

  t.test('settles every outcome in one step, and only once', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a', 6), record('b', 4))
    const lease = await takeSoon(spool)
    const settlement = {
      delivered: 3,
      rejected: { 'too-old': 1, expired: 2 },
      deadLetters: [letter('x'), letter('y', 'corrupt')],
      remainder: [record('rest', 2, 44)]
    }
    await spool.settle(lease, settlement)
    const ledger = {
      accepted: 10,
      delivered: 3,
      rejected: { 'too-old': 1, 'too-new': 0, expired: 2 },
      deadLettered: 2,
      evicted: 0,
      inSpool: 2
    }
    t.same(await spool.ledger(), ledger)
    t.match(await spool.depth(), { records: 1, items: 2 })
    await spool.settle(lease, settlement)
    t.same(await spool.ledger(), ledger)
    const rest = await takeSoon(spool)
    t.match(rest.records, [record('rest', 2, 44)])
    t.equal(rest.records[0]!.appendedAt, lease.records[0]!.appendedAt, 'a remainder is as old as its lease')
    await spool.settle(rest, { delivered: 2 })
    t.same(await spool.take('logs'), { lease: null, nextDueMs: null })
    t.same(await spool.depth(), { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 })
  })

  t.test('refuses a settlement that does not add up', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'd', record('a', 3))
    const lease = await takeSoon(spool)
    await t.rejects(spool.settle(lease, { delivered: 2 }), /settlement of 2 items for a lease of 3/)
    await t.rejects(spool.settle(lease, { delivered: 2, remainder: [record('b', 2)] }), /of 4 items for a lease of 3/)
    await spool.settle(lease, { delivered: 3 })
    await balanced(t, spool)
  })

  t.test('measures its depth by kind', async t => {
    const { spool } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    await append(spool, 'd', record('a', 2), record('b', 3))
    await sleep(60)
    await spool.append({ kind: 'metrics', destination: 'd', records: [record('m', 7)] })
    const bytes = Buffer.byteLength(record('a').line)
    const metrics = await spool.depth('metrics')
    const { oldestAgeMs, ...logs } = await spool.depth('logs')
    t.same(logs, { records: 2, items: 5, bytes: 2 * bytes })
    t.ok(oldestAgeMs >= 50 && oldestAgeMs < 60_000, `the oldest is ${oldestAgeMs} ms old`)
    t.match(metrics, { records: 1, items: 7, bytes })
    t.ok(metrics.oldestAgeMs < oldestAgeMs)
    t.match(await spool.depth(), { records: 3, items: 12, bytes: 3 * bytes })
    t.match(await spool.depth('metering'), { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 })
  })

  t.test('the age of the oldest counts what is leased, released and left over', async t => {
    const { spool } = await open(t, spoolOptions())
    const aged = async (what: string): Promise<void> => {
      const { oldestAgeMs } = await spool.depth()
      t.ok(oldestAgeMs >= 90, `${what} is ${oldestAgeMs} ms old`)
    }
    await append(spool, 'd', record('a'), record('b'))
    await sleep(100)
    const lease = await takeSoon(spool)
    await append(spool, 'd', record('young'))
    await aged('a lease')
    await spool.release(lease, NEVER_MS)
    await aged('a released lease')
    await append(spool, 'e', record('a'), record('b'))
    await sleep(100)
    await spool.settle(await takeSoon(spool), { delivered: 1, remainder: [record('b')], delayMs: NEVER_MS })
    await append(spool, 'e', record('young'))
    await aged('a remainder')
  })

  t.test('refuses what does not fit, stores none of it, and takes more when there is room again', async t => {
    const size = Buffer.byteLength(record(0).line)
    const { spool } = await open(t, spoolOptions({ maxBytes: 10 * size }))
    await append(spool, 'a', ...records(4))
    await append(spool, 'b', ...records(4))
    await t.rejects(append(spool, 'a', ...records(3)), SpoolFullError)
    t.match(await spool.depth(), { records: 8 })
    await append(spool, 'c', ...records(2))
    await t.rejects(append(spool, 'c', record(0)), SpoolFullError)
    await spool.settle(await takeSoon(spool), { delivered: 4 })
    await t.resolves(append(spool, 'd', ...records(4)))
    await t.rejects(append(spool, 'd', record(0)), SpoolFullError)
    await drain(spool)
    await balanced(t, spool)
  })

  t.test('of several applications none holds so much that others find no room, also when it is opened again', async t => {
    const size = Buffer.byteLength(record('x').line)
    const { spool, reopen } = await open(t, spoolOptions({ maxBytes: 30 * size, isShared: () => true }))
    const send = (spool: Spool, application: string, destination: string) =>
      spool.append({ kind: 'logs', application, destination, records: [record('x')] })
    /** Stores until the share is full. @returns how much was stored */
    const fill = async (spool: Spool, application: string): Promise<number> => {
      for (let stored = 0; ; stored++) {
        const failure = await send(spool, application, `d${stored % 7}`).then(() => null, (error: Error) => error)
        if (failure === null) continue
        t.match(failure, { name: 'ShareFullError', application })
        return stored
      }
    }
    t.equal(await fill(spool, 'hostile'), 20)
    t.equal(await fill(spool, 'good'), 6, 'though the other had all the room, and for the same destinations')
    const again = await reopen()
    t.equal(await fill(again, 'hostile'), 0)
    t.equal(await fill(again, 'late'), 2)
    await again.append({ kind: 'logs', destination: 'd', records: [record('x')] })
    await t.rejects(append(again, 'd', record('x'), record('x')), { name: 'SpoolFullError' })
  })

  t.test('an application holds what waits of it, whatever became of its records before', async t => {
    const size = Buffer.byteLength(record('x').line)
    const { spool, reopen } = await open(t, spoolOptions({ maxBytes: 30 * size, isShared: () => true, leaseMs: 100 }))
    const send = (spool: Spool, count: number, application = 'shop') =>
      spool.append({
        kind: 'logs',
        application,
        destination: 'd',
        records: Array.from({ length: count }, () => record('x'))
      })
    await send(spool, 8)
    const x = record('x')
    await spool.settle(await takeSoon(spool), {
      delivered: 2,
      remainder: [x, x],
      unread: [{ ...x, version: 3 }, { ...x, version: 3 }],
      unreadDelayMs: 1,
      deadLetters: [{ ...letter('dead'), line: x.line }, { ...letter('dead'), line: x.line }]
    })
    await spool.release(await takeSoon(spool), 0)
    t.equal(await spool.deadLetters.redrive({}), 2)
    // A lease that expires.
    await takeSoon(spool)
    const again = await reopen()
    await t.rejects(send(again, 15), { name: 'ShareFullError' }, 'six are held')
    await send(again, 10, 'other')
    await t.rejects(send(again, 8), { name: 'ShareFullError' })
    await send(again, 7)
    await drain(again)
    await t.rejects(send(again, 21), { name: 'ShareFullError' })
    await send(again, 20)
    await drain(again)
    await balanced(t, again)
  })

  t.test('one application alone may fill the whole', async t => {
    const size = Buffer.byteLength(record('x').line)
    const { spool } = await open(t, spoolOptions({ maxBytes: 30 * size }))
    for (let i = 0; i < 30; i++) {
      await spool.append({ kind: 'logs', application: 'shop', destination: 'd', records: [record('x')] })
    }
    await t.rejects(
      spool.append({ kind: 'logs', application: 'shop', destination: 'd', records: [record('x')] }),
      { name: 'SpoolFullError' }
    )
  })

  t.test('a request with a key that does not fit the share of its application leaves the key free', async t => {
    const { spool } = await open(t, spoolOptions({ maxBytes: 10_000, isShared: () => true }))
    const large = Array.from({ length: 90 }, () => record('x'.repeat(40)))
    const appends = [{ kind: 'logs' as const, application: 'shop', destination: 'd', records: large, part: '' }]
    await t.rejects(spool.appendOnce(appends, keyed('k', 'no')), { name: 'ShareFullError' })
    await storedOnce(t, spool, keyed('k', 'yes', { digest: 'smaller' }))
    t.same(await drain(spool), ['yes'])
  })

  t.test('a probe tells whether it takes appends, and leaves nothing behind', async t => {
    const { spool } = await open(t, spoolOptions({ maxBytes: Buffer.byteLength(record(0).line) }))
    await t.resolves(spool.probe())
    t.match(await spool.depth(), { records: 0, bytes: 0 })
    await append(spool, 'd', record(0))
    await t.rejects(spool.probe(), SpoolFullError)
    t.same(await drain(spool), [0])
    await t.resolves(spool.probe())
    await balanced(t, spool)
  })

  t.test('a repeated request gets the first answer and stores nothing', async t => {
    const { spool, reopen } = await open(t, spoolOptions())
    await storedOnce(t, spool, keyed(KEY, 'first'))
    t.same(await appendOnce(spool, keyed(KEY, 'second')), { state: 'answered', answer: 'first' })
    await storedOnce(t, spool, keyed('other', 'third'))
    const again = await reopen()
    t.same(await appendOnce(again, keyed(KEY, 'fourth')), { state: 'answered', answer: 'first' })
    t.same(await drain(again), ['first', 'third'])
    t.same(
      await appendOnce(again, keyed(KEY, 'fifth')),
      { state: 'answered', answer: 'first' },
      'also when the records are gone'
    )
    t.same(await appendOnce(again, keyed(KEY, 'sixth', { digest: 'another' })), { state: 'reused' })
    t.match(await again.ledger(), { accepted: 2 })
  })

  t.test('a key is the request\'s own, whatever its kind and its destination', async t => {
    const { spool } = await open(t, spoolOptions())
    await storedOnce(t, spool, keyed(KEY, 'a'))
    for (const kind of KINDS) {
      for (const destination of ['d', 'e', 'f', 'g', 'h']) {
        t.same(
          await spool.appendOnce(
            [{ kind, destination, records: [record('b')], part: '' }],
            keyed(KEY, 'b', { digest: `${kind} ${destination}` })
          ),
          { state: 'reused' }
        )
      }
    }
    t.match(await spool.ledger(), { accepted: 1 })
  })

  t.test('of requests with one key at the same time one is stored, and the others are told that it is under way', async t => {
    const { spool } = await open(t, spoolOptions())
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => appendOnce(spool, keyed(`key ${i % 4}`, `answer ${i}`)))
    )
    const stored = results.flatMap(result => result.state === 'stored' ? [result] : [])
    t.equal(stored.length, 4)
    t.equal(results.filter(({ state }) => state === 'under-way').length, 36)
    t.same(await appendOnce(spool, keyed('key 0', 'x', { digest: 'another' })), { state: 'reused' })
    for (const { finish } of stored) await finish('replaced')
    t.same(await appendOnce(spool, keyed('key 0', 'x')), { state: 'answered', answer: 'replaced' })
    t.equal((await drain(spool)).length, 4)
  })

  t.test('a request that does not fit leaves its key free', async t => {
    const { spool } = await open(t, spoolOptions({ maxBytes: 10_000 }))
    const large = Array.from({ length: 150 }, () => record('x'.repeat(40)))
    await t.rejects(
      spool.appendOnce([{ kind: 'logs', destination: 'd', records: large, part: '' }], keyed('k', 'no')), SpoolFullError
    )
    await storedOnce(t, spool, keyed('k', 'yes', { digest: 'smaller' }))
    t.same(await drain(spool), ['yes'])
    await balanced(t, spool)
  })

  t.test('the appends of one request are each stored once', async t => {
    const { spool } = await open(t, spoolOptions())
    const appends = ['a', 'b', 'c', 'a'].map(
      (destination, i) => ({ kind: 'logs' as const, destination, records: [record(i)], part: `${i}` })
    )
    const first = await spool.appendOnce(appends, keyed('k', 'first'))
    if (first.state !== 'stored') throw new Error(first.state)
    await first.finish()
    t.same(await spool.appendOnce(appends, keyed('k', 'second')), { state: 'answered', answer: 'first' })
    t.same((await drain(spool)).sort(), [0, 1, 2, 3])
  })

  t.test('what is kept for keys counts, and is bounded for each application', async t => {
    const { spool, reopen } = await open(t, spoolOptions({ maxBytes: 1_000_000 }))
    const answer = 'x'.repeat(1_000)
    await storedOnce(t, spool, keyed('of another', answer, { application: 'quiet' }))
    const own = await spool.keyBytes()
    t.ok(own >= 1_000)
    for (let i = 0; i < 200; i++) {
      await storedOnce(t, spool, keyed(`key ${i}`, answer))
      if (i % 50 === 49) await drain(spool)
    }
    t.ok(await spool.keyBytes() <= 1_000_000 / 16 + 4 * own, `${await spool.keyBytes()} bytes`)
    const again = await reopen()
    t.ok(await again.keyBytes() > 10_000)
    t.same(await appendOnce(again, keyed('key 199', 'x')), { state: 'answered', answer })
    t.same(
      await appendOnce(again, keyed('of another', 'x')), { state: 'answered', answer }, 'another application loses none'
    )
    await storedOnce(t, again, keyed('key 0', 'again'))
    await drain(again)
    const large = { line: JSON.stringify({ name: 'x'.repeat(30_000) }), items: 1, bytes: 1_000 }
    await t.rejects((async () => { for (;;) await append(again, 'd', large) })(), SpoolFullError)
    const { bytes } = await again.depth()
    t.equal(
      Math.floor((1_000_000 - await again.keyBytes()) / large.line.length),
      Math.round(bytes / large.line.length),
      'no more fits than the keys leave'
    )
  })

  t.test('a destination that floods does not keep others waiting', async t => {
    const { spool } = await open(t, spoolOptions())
    await append(spool, 'flood', ...records(300))
    for (let i = 0; i < 20; i++) await append(spool, `d${i}`, record(i))
    await sleep(30)
    const taken: string[] = []
    for (let i = 0; i < 25; i++) {
      const lease = await takeSoon(spool)
      taken.push(lease.destination)
      await spool.settle(lease, { delivered: itemsOf(lease) })
    }
    t.equal(new Set(taken).size, 21)
    t.ok(taken.filter(destination => destination === 'flood').length >= 4, 'and is not kept waiting itself')
  })

  t.test('gives everything out once, to many takers at a time', async t => {
    const { spool } = await open(t, spoolOptions())
    const count = 600
    const seen: unknown[] = []
    const appenders = Array.from({ length: 10 }, async (_, i) => {
      for (let n = i; n < count; n += 10) await append(spool, `d${n % 7}`, record(n))
    })
    const takers = Array.from({ length: 5 }, async (_, i) => {
      while (seen.length < count) {
        const { lease } = await spool.take('logs')
        if (lease === null) await sleep(2)
        else if (seen.length % 5 === i) {
          await spool.release(lease, 0)
          await sleep(1)
        } else {
          await spool.settle(lease, { delivered: itemsOf(lease) })
          seen.push(...names(lease))
        }
      }
    })
    await Promise.all([...appenders, ...takers])
    t.same([...seen].sort((a, b) => Number(a) - Number(b)), Array.from({ length: count }, (_, i) => i))
    t.match(await spool.ledger(), { accepted: count, delivered: count, inSpool: 0 })
  })

  t.test('has everything after it was opened again', async t => {
    const { spool, reopen } = await open(t, spoolOptions({ leaseMs: 100 }))
    await append(spool, 'd', record('a', 2), record('b', 1), record('c', 1))
    await spool.settle(await takeSoon(spool), {
      delivered: 1,
      rejected: { 'too-new': 1 },
      deadLetters: [letter('dead')],
      remainder: [record('c')]
    })
    await append(spool, 'e', record('leased'))
    await append(spool, 'f', record('f'))
    await takeSoon(spool)
    await takeSoon(spool)
    const ledger = await spool.ledger()
    const again = await reopen()
    t.same(await again.ledger(), ledger)
    t.match(await again.depth(), { records: 3, items: 3 })
    t.match((await again.deadLetters.list({}, { limit: 10 })).deadLetters, [{
      ...letter('dead'), kind: 'logs', destination: 'd'
    }])
    t.same((await drain(again)).sort(), ['c', 'f', 'leased'])
    const third = await reopen()
    t.match(await third.ledger(), { accepted: 6, delivered: 4, inSpool: 0 })
    t.same(await third.take('logs'), { lease: null, nextDueMs: null })
  })

  t.test('records of a later version are set aside: they hold up no other record, and are leased again later', async t => {
    const { spool } = await open(t, spoolOptions())
    const later = { ...record('later', 2), version: 3 }
    await append(spool, 'd', record('a'), record('later', 2))
    await spool.settle(await takeSoon(spool), { delivered: 1, unread: [later], unreadDelayMs: 400 })
    t.same(await spool.unread(), [{ kind: 'logs', version: 3, records: 1 }])
    t.match(await spool.ledger(), { accepted: 3, delivered: 1, inSpool: 2 })
    await balanced(t, spool)

    await append(spool, 'd', record('b'))
    const other = await takeSoon(spool)
    t.same(names(other), ['b'])
    t.not(other.unread, true)
    await spool.settle(other, { delivered: 1 })

    const again = await takeSoon(spool)
    t.same(names(again), ['later'])
    t.match(again, { destination: 'd', unread: true })
    t.same(await spool.unread(), [{ kind: 'logs', version: 3, records: 1 }], 'counted while they are leased')
    await spool.extend(again)
    await spool.release(again, 400)
    await append(spool, 'd', record('c'))
    t.same(names(await takeSoon(spool)), ['c'], 'a release holds up no other record either')

    const known = await takeSoon(spool)
    t.match(known, { destination: 'd', unread: true, attempt: 1 })
    await spool.settle(known, { delivered: 1, deadLetters: [letter('dead')] })
    t.same(await spool.unread(), [], 'a process that knows the version delivers them')
    t.match((await spool.deadLetters.list({}, { limit: 10 })).deadLetters, [{ destination: 'd' }])
    await balanced(t, spool)
  })

  t.test('records of several later versions are counted by version, and are there after the spool was opened again', async t => {
    const { spool, reopen } = await open(t, spoolOptions())
    await append(spool, 'd', ...records(4))
    const [a, b, c, d] = records(4)
    await spool.settle(await takeSoon(spool), {
      delivered: 0,
      unread: [{ ...a!, version: 3 }, { ...b!, version: 4 }, { ...c!, version: 3 }],
      unreadDelayMs: 50,
      remainder: [d!]
    })
    const counts = [{ kind: 'logs', version: 3, records: 2 }, { kind: 'logs', version: 4, records: 1 }]
    t.same((await spool.unread()).sort((one, other) => one.version - other.version), counts)
    const reopened = await reopen()
    t.same((await reopened.unread()).sort((one, other) => one.version - other.version), counts)
    t.same((await drain(reopened)).sort(), [0, 1, 2, 3])
    t.same(await reopened.unread(), [])
    t.match(await reopened.ledger(), { accepted: 4, delivered: 4, inSpool: 0 })
  })

  t.test('a damaged entry comes back as raw text with its items', async t => {
    const { spool, damage } = await open(t, spoolOptions({ lingerMs: NEVER_MS }))
    await append(spool, 'd', record('a', 4, 70), record('b', 6, 80))
    const again = await damage()
    const lease = await takeSoon(again)
    t.equal(itemsOf(lease), 10)
    t.notOk(lease.records.some(({ line }) => line.includes('\n')))
    await again.settle(lease, {
      delivered: 0,
      deadLetters: lease.records.map(
        ({ line, items, bytes }) => ({ line, items, bytes, reason: 'corrupt', message: 'unreadable' })
      )
    })
    t.match(await again.ledger(), { accepted: 10, deadLettered: 10, inSpool: 0 })
  })

  t.test('may be closed twice, finishes what was begun, and takes nothing more', async t => {
    const { spool, reopen } = await open(t, spoolOptions())
    const begun = Promise.all([append(spool, 'd', record('a')), append(spool, 'd', record('b'))])
    await Promise.all([spool.close(), spool.close()])
    await t.resolves(begun)
    await spool.close()
    await t.rejects(append(spool, 'd', record('c')), SpoolUnavailableError)
    await t.rejects(spool.take('logs'), SpoolUnavailableError)
    await t.rejects(spool.probe(), SpoolUnavailableError)
    t.same(await drain(await reopen()), ['a', 'b'])
  })
}
