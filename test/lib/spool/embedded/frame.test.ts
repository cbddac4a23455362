import t from 'tap'
import fc from 'fast-check'
import { mergeEntries, unpackEntry } from '../../../../lib/spool/entry-codec.js'
import { fromFrame, toFrame } from '../../../../lib/spool/embedded/frame.js'
import { KINDS } from '../../../../schemas/kinds.js'
const BATCH = { items: 100, bytes: 10_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }

const record = fc.record({
  line: fc.string({ unit: 'binary' }).map(text => JSON.stringify(text.toWellFormed())),
  items: fc.integer({ min: 1, max: 9 }),
  bytes: fc.integer({ min: 1, max: 2_000 })
})
const grouped = fc.record({
  kind: fc.constantFrom(...KINDS),
  queue: fc.string({ unit: 'binary' }).map(name => name.toWellFormed()),
  records: fc.array(record, { minLength: 1, maxLength: 20 }),
  urgent: fc.boolean()
})

const keyedAnswer = fc.tuple(
  fc.string(),
  fc.nat(),
  fc.string({ unit: 'binary' }).map(answer => answer.toWellFormed()),
  fc.string(),
  fc.string()
)

t.test('a frame gives back what it was made of, and so do its entries when they are merged', async t => {
  fc.assert(fc.property(fc.array(grouped, { maxLength: 5 }), fc.array(
    keyedAnswer, { maxLength: 2 }
  ), (all, answers) => {
    const { body, queues } = toFrame(all, answers, LIMITS, 7)
    t.same(fromFrame(body), { queues, answers })
    queues.forEach(({ kind, queue, entries, appendedAt, urgent }, i) => {
      t.same([kind, queue, appendedAt, urgent], [all[i]!.kind, all[i]!.queue, 7, all[i]!.urgent])
      const packed = entries.map(({ value, ...sizes }) => ({ ...sizes, values: [value] }))
      for (const given of [packed, mergeEntries(entries, BATCH)]) {
        const records = given.flatMap(({ values, ...sizes }) =>
          unpackEntry(Buffer.concat(values), { ...sizes, appendedAt }))
          .map(({ line, items, bytes, appendedAt }) => ({ line, items, bytes, appendedAt }))
        t.same(records, all[i]!.records.map(record => ({ ...record, appendedAt })))
      }
    })
  }), { numRuns: 100 })
})

t.test('merged entries stay a small part of a batch', async t => {
  const records = Array.from({ length: 200 }, () => ({ line: '"x"', items: 1, bytes: 60 }))
  const small = records.map(
    record =>
      toFrame(
        [{ kind: 'logs' as const, queue: 'd', records: [record], urgent: false }], [], LIMITS, 7
      ).queues[0]!.entries[0]!
  )
  const merged = mergeEntries(small, BATCH)
  t.equal(merged.reduce((sum, { items }) => sum + items, 0), 200)
  for (const { items, bytes } of merged) t.ok(items * 32 <= BATCH.items && bytes * 32 <= BATCH.bytes)
  t.equal(merged.length, 67)
})
