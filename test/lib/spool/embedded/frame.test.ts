import t from 'tap'
import fc from 'fast-check'
import { mergeChunks, unpackChunk } from '../../../../lib/spool/entry-codec.js'
import { fromFrame, toFrame } from '../../../../lib/spool/embedded/frame.js'
import { KINDS } from '../../../../schemas/kinds.js'
const BATCH = { items: 100, bytes: 10_000 }
const LIMITS = { metrics: BATCH, logs: BATCH, metering: BATCH }

const record = fc.record({ line: fc.string({ unit: 'binary' }).map(text => JSON.stringify(text.toWellFormed())), items: fc.integer({ min: 1, max: 9 }), bytes: fc.integer({ min: 1, max: 2_000 }) })
const gathered = fc.record({ kind: fc.constantFrom(...KINDS), destination: fc.string({ unit: 'binary' }).map(name => name.toWellFormed()), records: fc.array(record, { minLength: 1, maxLength: 20 }), urgent: fc.boolean() })

const claim = fc.tuple(fc.string(), fc.nat(), fc.string({ unit: 'binary' }).map(answer => answer.toWellFormed()))

t.test('a frame gives back what it was made of, and so do its chunks when they are put together', async t => {
  fc.assert(fc.property(fc.array(gathered, { maxLength: 5 }), fc.array(claim, { maxLength: 2 }), (all, claims) => {
    const { body, journaled } = toFrame(all, claims, LIMITS, 7)
    t.same(fromFrame(body), { journaled, claims })
    journaled.forEach(({ kind, destination, chunks, appendedAt, urgent }, i) => {
      t.same([kind, destination, appendedAt, urgent], [all[i]!.kind, all[i]!.destination, 7, all[i]!.urgent])
      const packed = chunks.map(({ value, ...sizes }) => ({ ...sizes, values: [value] }))
      for (const given of [packed, mergeChunks(chunks, BATCH)]) {
        const records = given.flatMap(({ values, ...sizes }) => unpackChunk(Buffer.concat(values), { ...sizes, appendedAt }))
          .map(({ line, items, bytes, appendedAt }) => ({ line, items, bytes, appendedAt }))
        t.same(records, all[i]!.records.map(record => ({ ...record, appendedAt })))
      }
    })
  }), { numRuns: 100 })
})

t.test('chunks that are put together stay a small part of a batch', async t => {
  const records = Array.from({ length: 200 }, () => ({ line: '"x"', items: 1, bytes: 60 }))
  const small = records.map(record => toFrame([{ kind: 'logs' as const, destination: 'd', records: [record], urgent: false }], [], LIMITS, 7).journaled[0]!.chunks[0]!)
  const merged = mergeChunks(small, BATCH)
  t.equal(merged.reduce((sum, { items }) => sum + items, 0), 200)
  for (const { items, bytes } of merged) t.ok(items * 32 <= BATCH.items && bytes * 32 <= BATCH.bytes)
  t.equal(merged.length, 67)
})
