import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { PUT_LOG_EVENTS as LIMIT } from '../../../../../schemas/aws-limits.js'
import type { StoredLogEvent } from '../../../../../lib/items/item.js'
import { cutLogBatches, logBatch } from '../../../../../lib/delivery/sinks/log-events/log-batches.js'
import { DecodedLogEventBuffer } from '../../../../../lib/delivery/sinks/log-events/decoded-log-event-buffer.js'

const event = (timestamp: number, message = 'm'): StoredLogEvent => [timestamp, message]

function bufferOf (events: StoredLogEvent[]): DecodedLogEventBuffer {
  const buffer = new DecodedLogEventBuffer()
  for (const event of events) buffer.add(event)
  return buffer
}

const cut = (...events: StoredLogEvent[]) => cutLogBatches(bufferOf(events))

t.test('events are put in chronological order, those of the same time as they came', async t => {
  const [batch] = cut(event(3, 'a'), event(1, 'b'), event(3, 'c'), event(2, 'd'), event(1, 'e'))
  t.same(batch!.events, [1, 4, 3, 0, 2])
})

t.test('a call holds 10,000 events', async t => {
  t.same(
    cut(...Array.from({ length: 20_001 }, (_, i) => event(i))).map(({ events }) => events.length), [10_000, 10_000, 1]
  )
})

t.test('a call is filled to the last byte of UTF-8 and not beyond', async t => {
  const half = LIMIT.MAX_BYTES / 2 - LIMIT.EVENT_OVERHEAD_BYTES
  t.same(cut(event(1, 'é'.repeat(half / 2)), event(2, 'x'.repeat(half))).map(({ bytes }) => bytes), [LIMIT.MAX_BYTES])
  t.equal(cut(event(1, 'é'.repeat(half / 2)), event(2, 'x'.repeat(half + 1))).length, 2)
  t.equal(cut(event(1, 'é'.repeat(half)), event(2)).length, 2, 'an event too large to share a call goes alone')
})

t.test('a call spans 24 hours', async t => {
  t.equal(cut(event(0), event(LIMIT.MAX_SPAN_MS)).length, 1)
  t.same(cut(event(LIMIT.MAX_SPAN_MS + 1), event(0)).map(({ events }) => events.length), [1, 1])
})

t.test('every batch keeps every limit, and nothing is lost', async () => {
  const events = fc.array(fc.tuple(
    fc.integer({ min: 0, max: 4 * LIMIT.MAX_SPAN_MS }),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(1, 1, 1, 5_000)
  )
    .map(([timestamp, text, times]) => event(timestamp, text.repeat(times))), { maxLength: 300 })
  fc.assert(fc.property(events, sources => {
    const buffer = bufferOf(sources)
    const batches = cutLogBatches(buffer)
    const put = batches.flatMap(batch => batch.events)
    assert.deepEqual(put, [...sources.keys()].sort((a, b) => sources[a]![0] - sources[b]![0]))
    for (const batch of batches) {
      assert.ok(batch.bytes <= LIMIT.MAX_BYTES)
      assert.ok(batch.events.length <= LIMIT.MAX_EVENTS)
      assert.ok(sources[batch.events.at(-1)!]![0] - sources[batch.events[0]!]![0] <= LIMIT.MAX_SPAN_MS)
      assert.equal(
        batch.bytes, batch.events.reduce((sum, index) => sum + Buffer.byteLength(sources[index]![1]) + 26, 0)
      )
      assert.deepEqual(logBatch(buffer, batch.events), batch)
    }
  }), { numRuns: 50 })
})
