import t from 'tap'
import fc from 'fast-check'
import { packEntries, unpackEntry, encodeEntry } from '../../../lib/spool/entry-codec.js'
import type { LeasedRecord } from '../../../lib/spool/spool.js'

const BATCH = { items: 10_000, bytes: 1_048_576 }
const record = fc.record({
  line: fc.string({ unit: 'binary' }).map(text => JSON.stringify(text)),
  items: fc.integer({ min: 1, max: 500 }),
  bytes: fc.integer({ min: 1, max: 60_000 })
})

const asPlain = ({ line, items, bytes, appendedAt }: LeasedRecord): LeasedRecord => ({ line, items, bytes, appendedAt })

t.test('gives the records back as they were packed, in the same order', async t => {
  fc.assert(fc.property(fc.array(record, { maxLength: 40 }), records => {
    const entries = packEntries(records, BATCH).map(encodeEntry)
    t.same(
      entries.flatMap(({ value, ...sizes }) => unpackEntry(value, { ...sizes, appendedAt: 7 })).map(asPlain),
      records.map(each => ({ ...each, appendedAt: 7 }))
    )
    t.equal(
      entries.reduce((sum, { lineBytes }) => sum + lineBytes, 0),
      records.reduce((sum, { line }) => sum + Buffer.byteLength(line), 0)
    )
  }), { numRuns: 50 })
})

t.test('an entry is a small part of a batch, or one record', async t => {
  fc.assert(fc.property(fc.array(record, { maxLength: 40 }), records => {
    for (const entry of packEntries(records, BATCH)) {
      t.ok(entry.records === 1 || (entry.bytes <= BATCH.bytes / 32 && entry.items <= BATCH.items / 32))
    }
  }), { numRuns: 50 })
})

t.test('packs into as many entries as it may', async t => {
  const records = Array.from({ length: 10 }, () => ({ line: 'x', items: 1, bytes: 30_000 }))
  t.equal(packEntries(records, BATCH).length, 10)
  t.same(packEntries(records, BATCH, 3).map(entry => entry.records), [1, 1, 8])
  t.same(packEntries([], BATCH), [])
})

t.test('whatever is left of a damaged entry accounts for all its items', async t => {
  const { value, items, bytes } = encodeEntry(
    packEntries([{ line: '"a"', items: 2, bytes: 20 }, { line: '"b"', items: 3, bytes: 30 }], BATCH)[0]!
  )
  fc.assert(fc.property(fc.nat(value.length), fc.nat(value.length), fc.string(), (start, end, text) => {
    const damaged = Buffer.concat([value.subarray(0, start), Buffer.from(text), value.subarray(end)])
    const records = unpackEntry(damaged, { items, bytes, appendedAt: 7 })
    t.equal(records.reduce((sum, each) => sum + each.items, 0), items)
    t.equal(records.reduce((sum, each) => sum + each.bytes, 0), bytes)
    t.notOk(records.some(({ line }) => line.includes('\n')))
  }), { numRuns: 300 })
})
