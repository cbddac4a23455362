import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { readLogEvent } from '../../../../../lib/items/log-event.js'
import { DecodedLogEventBuffer } from '../../../../../lib/delivery/sinks/log-events/decoded-log-event-buffer.js'
import { cutLogBatches } from '../../../../../lib/delivery/sinks/log-events/log-batches.js'
import { TextLogEventBuffer } from '../../../../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import { LeaseItems } from '../../../../../lib/delivery/sinks/lease-items.js'
import { encodeVerbatimLogEvents } from '../../../../../lib/spool/record.js'
import type { LeasedRecord, SpoolRecord } from '../../../../../lib/spool/spool.js'
import { StoredLine } from '../../../../../lib/spool/stored-line.js'
import { leaseOf, logRecords } from '../../../../helpers/delivery.js'

const NOW = 1_795_330_800_123
const NAMES = { logGroupName: 'g', logStreamName: 's' }

const timestamp = fc.integer({ min: NOW - 2 * 86_400_000, max: NOW })
const message = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.json(),
  fc.constantFrom('\\u0041', '😀', '\ud800', 'größer\n\tals\u0000nichts')
)

const ofEvents = fc.record({
  events: fc.array(fc.tuple(timestamp, message.map(text => text.toWellFormed())), { minLength: 1, maxLength: 20 }),
  waits: fc.boolean()
})
  .map(({ events, waits }) => logRecords(events, waits ? { id: 'r', indexes: [...events.keys()] } : undefined))

const verbatim = fc.array(
  fc.record({ message, timestamp: fc.oneof(timestamp, timestamp.map(String)) }, { requiredKeys: ['message'] }),
  { minLength: 8, maxLength: 20 }
)
  .map(
    logEvents => [
      encodeVerbatimLogEvents(
        JSON.stringify({ ...NAMES, logEvents }), logEvents.map((event, i) => readLogEvent(event, i, NOW)), NOW
      )!
    ]
  )

const damaged = fc.tuple(
  fc.oneof(ofEvents, verbatim), fc.nat(), fc.constantFrom('"', '\\', ',', ']', '}', '0', 'u', ' ', '')
)
  .map(([[record], place, piece]): SpoolRecord[] => {
    const at = place % record!.line.length
    return [{ ...record!, line: record!.line.slice(0, at) + piece + record!.line.slice(at + 1) }]
  })

function asLeased ({ line, items, bytes }: SpoolRecord): LeasedRecord {
  const text = Buffer.from(line)
  return new StoredLine(text, 0, text.length, { items, bytes, appendedAt: 0 })
}

t.test('both buffers make the same calls of a lease, and of each event the same outcome', async t => {
  const text = new TextLogEventBuffer()
  const decoded = new DecodedLogEventBuffer()
  let batches = 0
  let deadLetters = 0
  await fc.assert(fc.asyncProperty(fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.oneof(ofEvents, verbatim) }, damaged), { minLength: 1, maxLength: 6 }
  ), fc.nat(3), async (records, modulus) => {
    const lease = { ...leaseOf('logs', 'g:s', []), records: records.flat().map(asLeased) }
    text.clear()
    decoded.clear()
    const [textItems, decodedItems] = [
      await LeaseItems.open(lease, text), await LeaseItems.open<StoredLogEvent>(lease, decoded)
    ]

    assert.equal(text.size, decoded.size)
    const cut = cutLogBatches(text)
    assert.deepEqual(cut, cutLogBatches(decoded))
    for (const { events } of cut) {
      batches++
      assert.deepEqual(JSON.parse(text.body(NAMES, events).toString()), decoded.command(NAMES, events).input)
    }

    const settlements = [textItems, decodedItems].map(items => {
      for (let index = 0; index < text.size; index++) {
        const fate = index % (modulus + 1)
        if (fate === 0) items.deliver([index], 'id')
        else if (fate === 1) items.refuse(index, 'no')
        else if (fate === 2) items.reject(index, 'too-old', 'old')
      }
      return items.close(null)
    })
    assert.deepEqual(settlements[0], settlements[1])
    deadLetters += settlements[0]!.settlement.deadLetters!.filter(({ reason }) => reason === 'corrupt').length
  }), { numRuns: 400 })
  t.ok(batches > 400, `${batches} calls`)
  t.ok(deadLetters > 50, `${deadLetters} records that cannot be read`)
})
