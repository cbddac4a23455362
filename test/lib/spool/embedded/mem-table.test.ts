import t from 'tap'
import { toFrame, type KeyedAnswer } from '../../../../lib/spool/embedded/frame.js'
import { MemTable } from '../../../../lib/spool/embedded/mem-table.js'
import type { Kind } from '../../../../schemas/kinds.js'
const BATCH = { items: 10, bytes: 1_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }
const nothingStored = () => ({ items: 0, bytes: 0 })

function content (queue: string, items: number, at: number, kind: Kind = 'logs', urgent = false) {
  const append = { kind, queue, records: [{ line: `"${queue[0]}"`, items, bytes: 10 }], urgent }
  return { queues: toFrame([append], [], LIMITS, at).queues, answers: [] }
}

t.test('counts its content until the tables have it, during a flush too', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  memTable.add(1, content('a', 2, 100), 100, nothingStored)
  memTable.add(2, content('b', 3, 200, 'metrics'), 200, nothingStored)
  t.equal(memTable.items, 5)
  t.equal(memTable.lineBytes, 6)
  t.same(memTable.depth('logs', 150), { records: 1, items: 2, bytes: 3, oldestAgeMs: 50 })
  t.equal(memTable.nextDueMs('metrics', 300), 900)
  t.equal(memTable.nextDueMs('metering', 300), null)
  const { queues, frame } = memTable.beginFlush()
  t.same([queues.map(({ queue }) => queue), frame], [['a', 'b'], 2])
  memTable.add(3, content('a', 1, 300), 300, nothingStored)
  t.equal(memTable.items, 6)
  memTable.flushed()
  t.equal(memTable.items, 1)
  t.same(memTable.depth(undefined, 300), { records: 1, items: 1, bytes: 3, oldestAgeMs: 0 })
})

t.test('the content of a flush that failed goes before the entries added since', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  memTable.add(1, content('a', 1, 100), 100, nothingStored)
  memTable.beginFlush()
  memTable.add(2, content('a', 2, 200), 200, nothingStored)
  memTable.flushFailed()
  const { queues: [queue], frame } = memTable.beginFlush()
  t.same(queue!.entries.map(({ items }) => items), [1, 2])
  t.same([queue!.appendedAt, queue!.items, frame], [100, 3, 2])
})

t.test('a full batch is due at once, together with the stored entries of its destination, and told once', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  t.same(memTable.add(1, content('a', 6, 0), 0, nothingStored), [])
  t.same(memTable.add(2, content('b', 6, 0), 0, () => ({ items: 3, bytes: 0 })), [])
  t.same(memTable.add(3, content('b', 1, 0), 0, () => ({ items: 3, bytes: 0 })), ['logs'])
  t.same(memTable.add(4, content('b', 1, 0), 0, () => ({ items: 3, bytes: 0 })), [])
  t.equal(memTable.nextDueMs('logs', 0), 0)
})

t.test('entries behind a stored full batch linger', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  t.same(memTable.add(1, content('a', 6, 0), 0, () => ({ items: 12, bytes: 0 })), [])
  t.equal(memTable.nextDueMs('logs', 0), 1_000)
})

t.test('an urgent entry stays urgent when its flush failed', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  memTable.add(1, content('a', 1, 0), 0, nothingStored)
  memTable.add(2, content('a', 1, 0, 'logs', true), 0, nothingStored)
  t.equal(memTable.beginFlush().queues[0]!.urgent, true)
  memTable.add(3, content('a', 1, 0), 0, nothingStored)
  memTable.flushFailed()
  t.equal(memTable.beginFlush().queues[0]!.urgent, true)
})

const ANSWER: KeyedAnswer = ['hash', 1, 'first', 'digest', 'shop']

t.test('knows the answer to an idempotency key until the tables know it', async t => {
  const memTable = new MemTable(1_000, LIMITS)
  memTable.add(1, { queues: [], answers: [ANSWER] }, 0, nothingStored)
  t.equal(memTable.isEmpty, false)
  t.same(memTable.beginFlush().answers, [ANSWER])
  t.same(memTable.answer('hash'), ANSWER)
  t.ok(memTable.keyBytes > 0)
  memTable.flushFailed()
  t.same(memTable.beginFlush().answers, [ANSWER])
  memTable.flushed()
  t.equal(memTable.answer('hash'), undefined)
  t.equal(memTable.keyBytes, 0)
  t.equal(memTable.isEmpty, true)
})
