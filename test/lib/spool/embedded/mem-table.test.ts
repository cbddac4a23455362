import t from 'tap'
import { toFrame } from '../../../../lib/spool/embedded/frame.js'
import { MemTable } from '../../../../lib/spool/embedded/mem-table.js'
import type { Kind } from '../../../../schemas/kinds.js'
const BATCH = { items: 10, bytes: 1_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }
const nothingStored = () => ({ items: 0, bytes: 0 })

function journaled (destination: string, items: number, at: number, kind: Kind = 'logs', urgent = false) {
  const append = { kind, destination, records: [{ line: `"${destination}"`, items, bytes: 10 }], urgent }
  return { journaled: toFrame([append], [], LIMITS, at).journaled, claims: [] }
}

t.test('counts what it holds until that is stored, on its way too', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  unstored.add(1, journaled('a', 2, 100), nothingStored)
  unstored.add(2, journaled('b', 3, 200, 'metrics'), nothingStored)
  t.equal(unstored.items, 5)
  t.equal(unstored.lineBytes, 6)
  t.same(unstored.depth('logs', 150), { records: 1, items: 2, bytes: 3, oldestAgeMs: 50 })
  t.equal(unstored.nextDueMs('metrics', 300), 900)
  t.equal(unstored.nextDueMs('metering', 300), null)
  const { queues, frame } = unstored.leave()
  t.same([queues.map(({ destination }) => destination), frame], [['a', 'b'], 2])
  unstored.add(3, journaled('a', 1, 300), nothingStored)
  t.equal(unstored.items, 6)
  unstored.stored()
  t.equal(unstored.items, 1)
  t.same(unstored.depth(undefined, 300), { records: 1, items: 1, bytes: 3, oldestAgeMs: 0 })
})

t.test('what was not stored goes before what has come since', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  unstored.add(1, journaled('a', 1, 100), nothingStored)
  unstored.leave()
  unstored.add(2, journaled('a', 2, 200), nothingStored)
  unstored.failed()
  const { queues: [queue], frame } = unstored.leave()
  t.same(queue!.chunks.map(({ items }) => items), [1, 2])
  t.same([queue!.appendedAt, queue!.items, frame], [100, 3, 2])
})

t.test('a full batch is due at once, together with what is stored of its destination, and said once', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  t.same(unstored.add(1, journaled('a', 6, 0), nothingStored), [])
  t.same(unstored.add(2, journaled('b', 6, 0), () => ({ items: 3, bytes: 0 })), [])
  t.same(unstored.add(3, journaled('b', 1, 0), () => ({ items: 3, bytes: 0 })), ['logs'])
  t.same(unstored.add(4, journaled('b', 1, 0), () => ({ items: 3, bytes: 0 })), [])
  t.equal(unstored.nextDueMs('logs', 0), 0)
})

t.test('what comes behind a full batch that is stored has no hurry', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  t.same(unstored.add(1, journaled('a', 6, 0), () => ({ items: 12, bytes: 0 })), [])
  t.equal(unstored.nextDueMs('logs', 0), 1_000)
})

t.test('what somebody waits for stays urgent when it could not be stored', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  unstored.add(1, journaled('a', 1, 0), nothingStored)
  unstored.add(2, journaled('a', 1, 0, 'logs', true), nothingStored)
  t.equal(unstored.leave().queues[0]!.urgent, true)
  unstored.add(3, journaled('a', 1, 0), nothingStored)
  unstored.failed()
  t.equal(unstored.leave().queues[0]!.urgent, true)
})

t.test('knows the answer of a key that was claimed until the tables know it', async t => {
  const unstored = new MemTable(1_000, LIMITS)
  unstored.add(1, { journaled: [], claims: [['hash', 1, 'first']] }, nothingStored)
  t.equal(unstored.isEmpty, false)
  t.same(unstored.leave().claims, [['hash', 1, 'first']])
  t.equal(unstored.answer('hash'), 'first')
  unstored.failed()
  t.same(unstored.leave().claims, [['hash', 1, 'first']])
  unstored.stored()
  t.equal(unstored.answer('hash'), undefined)
  t.equal(unstored.isEmpty, true)
})
