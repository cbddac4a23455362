import fc from 'fast-check'
import t from 'tap'
import { CorruptRecordError, countLogEvent, decodeRecord, encodeRecords, type StoredLogEvent } from '../../lib/record.js'

const event = fc.tuple(fc.integer({ min: 0 }), fc.string({ minLength: 1, maxLength: 5_000, unit: 'grapheme' })).map(([time, message]): StoredLogEvent => [time, message.toWellFormed()])

t.test('what is encoded is decoded, in order, with its receipt, and no line holds a newline', async () => {
  fc.assert(fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), fc.boolean(), (events, waits) => {
    const receipt = waits ? { id: 'r', indexes: events.map((_, i) => i * 2) } : undefined
    const records = encodeRecords(events, countLogEvent, receipt)
    const decoded = records.map(record => decodeRecord<StoredLogEvent>(record))
    return records.every(({ line }) => !line.includes('\n')) &&
      JSON.stringify(decoded.flatMap(({ items }) => items)) === JSON.stringify(events) &&
      records.reduce((sum, { bytes }) => sum + bytes, 0) === events.reduce((sum, event) => sum + countLogEvent(event), 0) &&
      JSON.stringify(waits ? decoded.flatMap(({ receipt }) => receipt!.indexes) : []) === JSON.stringify(receipt?.indexes ?? [])
  }))
})

t.test('records are small against a batch, whatever the items', async t => {
  const records = encodeRecords(Array.from({ length: 5_000 }, (): StoredLogEvent => [1, 'x'.repeat(100)]), countLogEvent)
  for (const { bytes } of records) t.ok(bytes <= 32_768)
  t.equal(encodeRecords([[1, 'x'.repeat(500_000)] as StoredLogEvent], countLogEvent).length, 1)
})

t.test('counts a log event as PutLogEvents does: UTF-8 bytes and 26', async t => {
  t.equal(countLogEvent([1, 'é😀']), 2 + 4 + 26)
})

t.test('a record that cannot be read is corrupt', async t => {
  const [record] = encodeRecords([[1, 'm'] as StoredLogEvent], countLogEvent)
  for (const line of [record!.line.slice(0, -3), '', 'null', '5', record!.line.replace('"v":1', '"v":9'), '{"v":1,"e":{}}', '{"v":1,"e":[]}']) {
    t.throws(() => decodeRecord({ ...record!, line }), CorruptRecordError, line)
  }
})
