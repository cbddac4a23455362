import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { countLogEvent, encodeVerbatimLogEvents, encodeRecords } from '../../../../../lib/spool/record.js'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { readLogEvent } from '../../../../../lib/items/log-event.js'
import { TextLogEventBuffer } from '../../../../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import type { SpoolRecord } from '../../../../../lib/spool/spool.js'
import { StoredLine } from '../../../../../lib/spool/stored-line.js'

const NOW = 1_795_330_800_123
const AROUND = Buffer.from('[1,"x"]]}')

/** The record as it lies in a lease, between others. */
function stored ({ line, items, bytes }: SpoolRecord): StoredLine {
  const text = Buffer.concat([AROUND, Buffer.from(line), AROUND])
  return new StoredLine(text, AROUND.length, text.length - AROUND.length, { items, bytes, appendedAt: 0 })
}

const NAMES = { logGroupName: 'g', logStreamName: 's' }
const buffer = new TextLogEventBuffer()

/** The log events that the call would send. */
function sentOf (): StoredLogEvent[] {
  const { logEvents } = JSON.parse(buffer.body(NAMES, [...Array(buffer.size).keys()]).toString()) as {
    logEvents: Array<{ message: string, timestamp: number }>
  }
  return logEvents.map(({ message, timestamp }) => [timestamp, message])
}

/** Null when the record has to be decoded. */
function takenFrom (record: StoredLine): StoredLogEvent[] | null {
  buffer.clear()
  buffer.add([1, 'before'])
  if (!buffer.addStored(record)) {
    assert.equal(buffer.size, 1)
    buffer.add([2, 'behind'])
    assert.deepEqual(sentOf(), [[1, 'before'], [2, 'behind']])
    return null
  }
  buffer.add([2, 'behind'])
  assert.equal(buffer.size, record.items + 2)
  const sent = sentOf()
  assert.deepEqual([sent.at(0), sent.at(-1)], [[1, 'before'], [2, 'behind']])
  sent.forEach((event, i) => assert.deepEqual([buffer.timestamp(i), buffer.bytes(i)], [event[0], countLogEvent(event)]))
  return sent.slice(1, -1)
}

const message = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }).map(text => text.toWellFormed()),
  fc.string({ unit: 'binary-ascii', minLength: 1 }),
  fc.json(),
  fc.constantFrom('"', '\\', '\\u0041', '😀', 'größer\n\tals\u0000nichts', '\u2028\u001b[31m')
)
const timestamp = fc.integer({ min: NOW - 86_400_000, max: NOW + 3_600_000 })

t.test('takes what encodeRecords writes, as it is', async () => {
  fc.assert(fc.property(fc.array(fc.tuple(timestamp, message), {
    minLength: 1, maxLength: 30
  }), (events: StoredLogEvent[]) => {
    const records = encodeRecords(events, countLogEvent)
    assert.deepEqual(records.flatMap(record => takenFrom(stored(record)) ?? assert.fail('has to be decoded')), events)
  }), { numRuns: 300 })
})

/** Writes JSON as clients do that are not JavaScript: spaces, and escapes where none are needed. */
function writeLoosely (value: unknown, space: string, escapeAll: boolean): string {
  if (typeof value === 'string') {
    const json = JSON.stringify(value)
    return escapeAll
      ? json.replace(
        /[\u007f-\ud7ff\ue000-\uffff]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
      ).replaceAll('/', '\\/')
      : json
  }
  const comma = `${space},${space}`
  if (Array.isArray(value)) {
    return `[${space}${value.map(element => writeLoosely(element, space, escapeAll)).join(comma)}${space}]`
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = Object.entries(value).map(([key, field]) =>
    `"${key}"${space}:${space}${writeLoosely(field, space, escapeAll)}`)
  return `{${space}${fields.join(comma)}${space}}`
}

t.test('takes what encodeVerbatimLogEvents keeps of a request, whatever the order of its fields and the spaces between them', async () => {
  const event = fc.tuple(
    message, fc.option(timestamp), fc.boolean(), fc.boolean()
  ).map(([message, timestamp, isText, isFirst]) => {
    if (timestamp === null) return { message }
    const time = isText ? String(timestamp) : timestamp
    return isFirst ? { timestamp: time, message } : { message, timestamp: time }
  })
  const body = fc.record({
    logEvents: fc.array(event, { minLength: 8, maxLength: 20 }),
    fields: fc.shuffledSubarray(['logGroupName', 'logStreamName', 'sentAt', 'logEvents'], { minLength: 4 }),
    sentAt: fc.constantFrom(NOW, String(NOW)),
    space: fc.constantFrom('', ' ', '\t ', '\r'),
    escapeAll: fc.boolean()
  })
  fc.assert(fc.property(body, ({ logEvents, fields, sentAt, space, escapeAll }) => {
    const all: Record<string, unknown> = { logGroupName: '/app', logStreamName: 'größe', sentAt, logEvents }
    const text = writeLoosely(Object.fromEntries(fields.map(field => [field, all[field]])), space, escapeAll) + space
    const events = logEvents.map((event, index) => readLogEvent(event, index, NOW))
    const record = encodeVerbatimLogEvents(text, events, NOW)
    if (record === null) return
    assert.deepEqual(takenFrom(stored(record)), events)
  }), { numRuns: 500 })
})

const EVENTS = Array.from({ length: 8 }, (_, i): StoredLogEvent => [NOW + i, `message ${i} "quoted" \u0007 é`])
const RECORDS = [
  encodeRecords(EVENTS, countLogEvent)[0]!,
  encodeVerbatimLogEvents(
    JSON.stringify({
      logGroupName: 'g', logStreamName: 's', logEvents: EVENTS.map(([timestamp, message]) => ({ message, timestamp }))
    }),
    EVENTS,
    NOW
  )!
]

/** Null when it is no record. What it says of time may be far away: that was looked at when the events came. */
function readPlainly ({ line }: StoredLine): StoredLogEvent[] | null {
  try {
    const { e, t, b } = JSON.parse(line) as {
      e?: StoredLogEvent[], t: number, b: { logEvents: Array<{ message: string, timestamp?: number | string }> }
    }
    return e ?? b.logEvents.map(({ message, timestamp = t }): StoredLogEvent => [Number(timestamp), message])
  } catch {
    return null
  }
}

t.test('never takes from a damaged record what it does not say', async t => {
  let taken = 0
  const pieces = [
    '"', '\\', ',', '[', ']', '{', '}', ':', '0', '9', 'u', ' ', '\n', '-', 'e', '"message":"m",', '"timestamp":1,',
    '"logEvents":[],', ''
  ]
  fc.assert(fc.property(fc.constantFrom(...RECORDS), fc.nat(), fc.nat(3), fc.constantFrom(...pieces), fc.integer({
    min: -1, max: 1
  }), (
    record, place, cut, piece, items
  ) => {
    const at = place % (record.line.length + 1)
    const damaged = stored({
      ...record, items: record.items + items, line: record.line.slice(0, at) + piece + record.line.slice(at + cut)
    })
    const found = takenFrom(damaged)
    if (found === null) return
    taken++
    assert.deepEqual(found, readPlainly(damaged))
  }), { numRuns: 20_000 })
  t.ok(taken > 1_000, `${taken} were still what they say`)
})

t.test('leaves to decoding what it would have to change, or does not know', async t => {
  const eight = (event: string): string =>
    `{"logGroupName":"g","logStreamName":"s","logEvents":[${Array(8).fill(event).join(',')}]}`
  const cases: Record<string, string> = {
    'half a surrogate pair': eight('{"message":"\\ud800"}'),
    'a time of 16 digits': eight('{"message":"m","timestamp":1000000000000000}'),
    'a time with an exponent': eight('{"message":"m","timestamp":1e12}'),
    'digits with zeros before them': eight('{"message":"m","timestamp":"0123"}'),
    'an escaped name': eight('{"mess\\u0061ge":"m"}'),
    'a message that is there twice': eight('{"message":"m","message":"n"}'),
    'a time that is there twice': eight('{"message":"m","timestamp":1,"timestamp":2}'),
    'events that are there twice': eight('{"message":"m"}').replace('{', '{"logEvents":[],'),
    'a field it does not know': eight('{"message":"m"}').replace('{', '{"more":1,')
  }
  for (const [name, body] of Object.entries(cases)) {
    t.equal(takenFrom(stored({ line: `{"v":2,"t":${NOW},"b":${body}}`, items: 8, bytes: 216 })), null, name)
  }
  t.equal(
    takenFrom(stored(encodeRecords(EVENTS, countLogEvent, { id: 'r', indexes: [0, 1, 2, 3, 4, 5, 6, 7] })[0]!)),
    null,
    'a record for which somebody waits'
  )
  t.equal(takenFrom(stored({ ...RECORDS[0]!, items: 1e12 })), null, 'a number of items that no line could hold')
  const [record] = encodeRecords(EVENTS, countLogEvent)
  t.notOk(new TextLogEventBuffer().addStored({ ...record!, appendedAt: 0 }), 'a record that is no bytes')
})
