import { PUT_LOG_EVENTS as LIMIT } from '../../../../schemas/aws-limits.js'
import type { LogEventBuffer } from './log-event-buffer.js'

type Sizes = Pick<LogEventBuffer, 'size' | 'timestamp' | 'bytes'>

/** The log events that one call of PutLogEvents sends. */
export interface LogBatch {
  /** Indexes of the log events, in chronological order. */
  events: number[]
  /** Bytes that they count against the limit of the call. */
  bytes: number
}

/** @param events in chronological order, together within the limits of a call */
export function logBatch (buffer: Sizes, events: number[]): LogBatch {
  return { events, bytes: events.reduce((sum, index) => sum + buffer.bytes(index), 0) }
}

/**
 * Sorts log events by time, those of the same time in the order of their indexes, and cuts them into calls that keep
 * the limits of PutLogEvents. A log event that is larger than a call is in a call of its own.
 *
 * CloudWatch measures the 24 hours between the valid log events only. Its own clock says which of them are valid, so
 * all are counted here: a log event that is about to be rejected may cost a call, never a batch.
 */
export function cutLogBatches (buffer: Sizes): LogBatch[] {
  const batches: LogBatch[] = []
  let last: LogBatch | undefined
  for (const index of byTime(buffer)) {
    const bytes = buffer.bytes(index)
    if (last === undefined || isFull(buffer, last, index)) {
      last = { events: [index], bytes }
      batches.push(last)
    } else {
      last.events.push(index)
      last.bytes += bytes
    }
  }
  return batches
}

function byTime (buffer: Sizes): number[] {
  const indexes: number[] = []
  let sorted = true
  for (let index = 0; index < buffer.size; index++) {
    indexes.push(index)
    if (index > 0 && buffer.timestamp(index) < buffer.timestamp(index - 1)) sorted = false
  }
  return sorted ? indexes : indexes.sort((a, b) => buffer.timestamp(a) - buffer.timestamp(b))
}

function isFull (buffer: Sizes, { events, bytes }: LogBatch, next: number): boolean {
  return events.length === LIMIT.MAX_EVENTS ||
    bytes + buffer.bytes(next) > LIMIT.MAX_BYTES ||
    buffer.timestamp(next) - buffer.timestamp(events[0]!) > LIMIT.MAX_SPAN_MS
}
