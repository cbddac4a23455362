import fc from 'fast-check'
import t from 'tap'
import { readLogEvent } from '../../../lib/items/log-event.js'
import { readMetricDatum } from '../../../lib/items/metric-datum.js'
import {
  CorruptRecordError, UnknownVersionError, countLogEvent, decodeRecord, encodeVerbatimLogEvents, encodeVerbatimDatums,
  encodeRecords
} from '../../../lib/spool/record.js'
import type { StoredLogEvent } from '../../../lib/items/item.js'
import type { SpoolRecord } from '../../../lib/spool/spool.js'

const event = fc.tuple(fc.integer({ min: 0 }), fc.string({ minLength: 1, maxLength: 5_000, unit: 'grapheme' })).map(
  ([time, message]): StoredLogEvent => [time, message.toWellFormed()]
)

t.test('what is encoded is decoded, in order, with its receipt, and no line holds a newline', async () => {
  fc.assert(fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), fc.boolean(), (events, waits) => {
    const receipt = waits ? { id: 'r', indexes: events.map((_, i) => i * 2) } : undefined
    const records = encodeRecords(events, countLogEvent, receipt)
    const decoded = records.map(record => decodeRecord<StoredLogEvent>(record))
    return records.every(({ line }) => !line.includes('\n')) &&
      JSON.stringify(decoded.flatMap(({ items }) => items)) === JSON.stringify(events) &&
      records.reduce((sum, { bytes }) => sum + bytes, 0) === events.reduce(
        (sum, event) => sum + countLogEvent(event), 0
      ) &&
      JSON.stringify(
        waits ? decoded.flatMap(({ receipt }) => receipt!.indexes) : []
      ) === JSON.stringify(receipt?.indexes ?? [])
  }))
})

t.test('records are small against a batch, whatever the items', async t => {
  const records = encodeRecords(
    Array.from({ length: 5_000 }, (): StoredLogEvent => [1, 'x'.repeat(100)]), countLogEvent
  )
  for (const { bytes } of records) t.ok(bytes <= 32_768)
  t.equal(encodeRecords([[1, 'x'.repeat(500_000)] as StoredLogEvent], countLogEvent).length, 1)
})

t.test('counts a log event as PutLogEvents does: UTF-8 bytes and 26', async t => {
  t.equal(countLogEvent([1, 'é😀']), 2 + 4 + 26)
})

t.test('a record that cannot be read is corrupt', async t => {
  const [record] = encodeRecords([[1, 'm'] as StoredLogEvent], countLogEvent)
  for (const line of [
    record!.line.slice(0, -3),
    '',
    'null',
    '5',
    record!.line.replace('"v":1', '"v":0'),
    record!.line.replace('"v":1', '"v":2'),
    record!.line.replace('"v":1', '"v":-3'),
    '{"v":1,"e":{}}',
    '{"v":1,"e":[]}'
  ]) {
    t.throws(() => decodeRecord({ ...record!, line }), CorruptRecordError, line)
  }
})

t.test('a record of a later version is not judged, whatever it holds', async t => {
  for (const [line, version] of [['{"v":3,"e":[[1,"m"]]}', 3], ['{"v":12,"x":', 12], ['{"v":3}', 3]] as const) {
    t.throws(() => decodeRecord({ line, items: 1, bytes: 27 }), { name: 'UnknownVersionError', version }, line)
    t.throws(() => decodeRecord({ line, items: 1, bytes: 27 }), UnknownVersionError)
  }
})

const NOW = 1_795_330_800_123
const sent = fc.record({
  message: fc.string({ minLength: 1, maxLength: 200, unit: 'binary' }),
  timestamp: fc.oneof(
    fc.integer({ min: NOW - 1_000, max: NOW }), fc.integer({ min: NOW - 1_000, max: NOW }).map(String)
  )
}, { requiredKeys: ['message'] })

t.test('a body that is stored as it came holds the same events', async () => {
  fc.assert(fc.property(fc.array(sent, {
    minLength: 8, maxLength: 30
  }), fc.constantFrom('', ' '), (logEvents, space) => {
    const body = JSON.stringify(
      { logGroupName: '/g', logStreamName: 's', logEvents }, null, space
    ).replaceAll('\n', space)
    const events = logEvents.map((event, index) => readLogEvent(event, index, NOW))
    const record = encodeVerbatimLogEvents(body, events, NOW)!
    return !record.line.includes('\n') && record.items === events.length &&
      record.bytes === events.reduce((sum, event) => sum + countLogEvent(event), 0) &&
      JSON.stringify(decodeRecord(record)) === JSON.stringify({ items: events, receipt: null })
  }))
})

const datum = fc.record({
  MetricName: fc.constantFrom('PageLoad', 'a "quoted" name'),
  Value: fc.double({ noNaN: true, min: -1e100, max: 1e100 }).filter(value =>
    value === 0 || Math.abs(value) >= 2 ** -360),
  Timestamp: fc.oneof(fc.constant(NOW / 1_000), fc.constant(NOW), fc.constant(new Date(NOW - 5).toISOString())),
  Dimensions: fc.constant([{ Name: 'Page', Value: '/a' }])
}, { requiredKeys: ['MetricName', 'Value'] })

t.test('and the same data points', async () => {
  fc.assert(fc.property(fc.array(datum, { minLength: 8, maxLength: 30 }), MetricData => {
    const body = JSON.stringify({ params: { Namespace: 'n', MetricData } })
    const datums = (JSON.parse(body) as { params: { MetricData: unknown[] } }).params.MetricData.map((datum, index) =>
      readMetricDatum(datum, index, NOW))
    const record = encodeVerbatimDatums(body, datums.length, NOW)!
    return record.bytes >= Buffer.byteLength(JSON.stringify(datums)) - 2 &&
      JSON.stringify(decodeRecord(record).items) === JSON.stringify(datums)
  }))
})

t.test('a body that is no single small line, or of few items, is not stored as it came', async t => {
  const encode = (body: string, events = 8) =>
    encodeVerbatimLogEvents(body, Array.from({ length: events }, (): StoredLogEvent => [NOW, 'm']), NOW)
  const body = JSON.stringify({ logGroupName: '/g', logStreamName: 's', logEvents: Array(8).fill({ message: 'm' }) })
  t.not(encode(body), null)
  t.equal(encode(body, 7), null)
  for (const other of [body.replace(',', ',\n'), `\ufeff${body}`, ` ${body}`, body + ' '.repeat(32_768)]) {
    t.equal(encode(other), null, JSON.stringify(other.slice(0, 60)))
  }
  t.equal(encode(body, 1_300), null, 'too many for one record')
})

t.test('a stored body that cannot be read is corrupt', async t => {
  const events = Array.from({ length: 8 }, (): StoredLogEvent => [NOW, 'm'])
  const record = encodeVerbatimLogEvents(`{"logEvents":[${Array(8).fill('{"message":"m"}').join()}]}`, events, NOW)!
  t.same(decodeRecord(record).items, events)
  t.match(record.line, /^{"v":2,/)
  t.same(
    decodeRecord({ ...record, line: record.line.replace('"v":2', '"v":1') }).items,
    events,
    'a body in a record of version 1'
  )
  for (const line of [
    '{"v":1}',
    '{"v":2}',
    '{"v":1,"t":5}',
    record.line.replace('"message"', '"text"'),
    record.line.replace('logEvents', 'events'),
    record.line.replace('[{', '[{"message":"n"},{'),
    '{"v":1,"t":1,"b":{"logEvents":5}}',
    '{"v":1,"t":1,"b":{"params":{}}}'
  ]) {
    t.throws(() => decodeRecord({ ...record, line }), CorruptRecordError, line)
  }
  const datum = (rest: string): SpoolRecord => ({
    line: `{"v":2,"t":${NOW},"b":{"params":{"MetricData":[{"MetricName":"m"${rest}}]}}}`, items: 1, bytes: 50
  })
  t.match(decodeRecord(datum('')).items, [{ Timestamp: NOW }])
  t.throws(() => decodeRecord(datum(',"Timestamp":"soon"')), CorruptRecordError)
})
