import { PUT_LOG_EVENTS as LIMIT } from '../../../../schemas/aws-limits.js'
import type { LogEventTexts } from './log-event-texts.js'

/** What one call of PutLogEvents sends. */
export interface LogBatch {
  /** Indexes of its events, in chronological order. */
  events: number[]
  /** Bytes counted against the limit of the call. */
  bytes: number
}

/** @param events in chronological order, within the limits together */
export function logBatch (texts: LogEventTexts, events: number[]): LogBatch {
  return { events, bytes: events.reduce((sum, index) => sum + texts.bytes(index), 0) }
}

/**
 * Sorts events by time, those of the same time in the order given, and cuts them into calls that keep the limits of
 * PutLogEvents. An event that is larger than a call is in a call of its own.
 *
 * CloudWatch measures the 24 hours between the valid events only. Which are valid is a matter of its clock, not of
 * ours, so all of them are counted here: an event that is about to be rejected may cost a call, never a batch.
 */
export function cutLogBatches (texts: LogEventTexts): LogBatch[] {
  const batches: LogBatch[] = []
  let last: LogBatch | undefined
  for (const index of byTime(texts)) {
    const bytes = texts.bytes(index)
    if (last === undefined || isFull(texts, last, index)) {
      last = { events: [index], bytes }
      batches.push(last)
    } else {
      last.events.push(index)
      last.bytes += bytes
    }
  }
  return batches
}

function byTime (texts: LogEventTexts): number[] {
  const indexes: number[] = []
  let sorted = true
  for (let index = 0; index < texts.size; index++) {
    indexes.push(index)
    if (index > 0 && texts.timestamp(index) < texts.timestamp(index - 1)) sorted = false
  }
  return sorted ? indexes : indexes.sort((a, b) => texts.timestamp(a) - texts.timestamp(b))
}

function isFull (texts: LogEventTexts, { events, bytes }: LogBatch, next: number): boolean {
  return events.length === LIMIT.MAX_EVENTS ||
    bytes + texts.bytes(next) > LIMIT.MAX_BYTES ||
    texts.timestamp(next) - texts.timestamp(events[0]!) > LIMIT.MAX_SPAN_MS
}
