import t from 'tap'
import fc from 'fast-check'
import { packEntries, unpackChunk, writeChunk } from '../../../lib/spool/entry-codec.js'
import type { LeasedRecord } from '../../../lib/spool/spool.js'

const BATCH = { items: 10_000, bytes: 1_048_576 }
const record = fc.record({ line: fc.string({ unit: 'binary' }).map(text => JSON.stringify(text)), items: fc.integer({ min: 1, max: 500 }), bytes: fc.integer({ min: 1, max: 60_000 }) })

const asPlain = ({ line, items, bytes, appendedAt }: LeasedRecord): LeasedRecord => ({ line, items, bytes, appendedAt })

t.test('gives back what was packed, in the same order', async t => {
  fc.assert(fc.property(fc.array(record, { maxLength: 40 }), records => {
    const chunks = packEntries(records, BATCH).map(writeChunk)
    t.same(chunks.flatMap(({ value, ...sizes }) => unpackChunk(value, { ...sizes, appendedAt: 7 })).map(asPlain), records.map(each => ({ ...each, appendedAt: 7 })))
    t.equal(chunks.reduce((sum, { lineBytes }) => sum + lineBytes, 0), records.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0))
  }), { numRuns: 50 })
})

t.test('a chunk is a small part of a batch, or one record', async t => {
  fc.assert(fc.property(fc.array(record, { maxLength: 40 }), records => {
    for (const chunk of packEntries(records, BATCH)) t.ok(chunk.records === 1 || (chunk.bytes <= BATCH.bytes / 32 && chunk.items <= BATCH.items / 32))
  }), { numRuns: 50 })
})

t.test('packs into as many chunks as it may', async t => {
  const records = Array.from({ length: 10 }, () => ({ line: 'x', items: 1, bytes: 30_000 }))
  t.equal(packEntries(records, BATCH).length, 10)
  t.same(packEntries(records, BATCH, 3).map(chunk => chunk.records), [1, 1, 8])
  t.same(packEntries([], BATCH), [])
})

t.test('whatever is left of a damaged chunk accounts for all its items', async t => {
  const { value, items, bytes } = writeChunk(packEntries([{ line: '"a"', items: 2, bytes: 20 }, { line: '"b"', items: 3, bytes: 30 }], BATCH)[0]!)
  fc.assert(fc.property(fc.nat(value.length), fc.nat(value.length), fc.string(), (start, end, text) => {
    const damaged = Buffer.concat([value.subarray(0, start), Buffer.from(text), value.subarray(end)])
    const records = unpackChunk(damaged, { items, bytes, appendedAt: 7 })
    t.equal(records.reduce((sum, each) => sum + each.items, 0), items)
    t.equal(records.reduce((sum, each) => sum + each.bytes, 0), bytes)
    t.notOk(records.some(({ line }) => line.includes('\n')))
  }), { numRuns: 300 })
})
