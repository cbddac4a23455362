import { PUT_LOG_EVENTS as LIMIT } from '../limits.js'
import { countLogEvent, type StoredLogEvent } from '../record.js'

interface HasLogEvent {
  readonly item: StoredLogEvent
}

/** What one call of PutLogEvents sends. */
export interface LogBatch<Source> {
  /** In chronological order. */
  events: Source[]
  /** Bytes counted against the limit of the call. */
  bytes: number
}

/** @param events in chronological order, within the limits together */
export function logBatch<Source extends HasLogEvent> (events: Source[]): LogBatch<Source> {
  return { events, bytes: events.reduce((sum, { item }) => sum + countLogEvent(item), 0) }
}

/**
 * Sorts events by time, those of the same time in the order given, and cuts them into calls that keep the limits of
 * PutLogEvents. An event that is larger than a call is in a call of its own.
 *
 * CloudWatch measures the 24 hours between the valid events only. Which are valid is a matter of its clock, not of
 * ours, so all of them are counted here: an event that is about to be rejected may cost a call, never a batch.
 */
export function cutLogBatches<Source extends HasLogEvent> (sources: Iterable<Source>): Array<LogBatch<Source>> {
  const sorted = [...sources].sort((a, b) => a.item[0] - b.item[0])
  const batches: Array<LogBatch<Source>> = []
  let last: LogBatch<Source> | undefined
  for (const source of sorted) {
    const bytes = countLogEvent(source.item)
    if (last === undefined || isFull(last, source, bytes)) {
      last = { events: [source], bytes }
      batches.push(last)
    } else {
      last.events.push(source)
      last.bytes += bytes
    }
  }
  return batches
}

function isFull<Source extends HasLogEvent> ({ events, bytes }: LogBatch<Source>, next: Source, nextBytes: number): boolean {
  return events.length === LIMIT.MAX_EVENTS ||
    bytes + nextBytes > LIMIT.MAX_BYTES ||
    next.item[0] - events[0]!.item[0] > LIMIT.MAX_SPAN_MS
}
