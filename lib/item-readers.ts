import type { DatumRule, LogEventRule } from './item-rules.js'
import { readLogEvent } from './log-event.js'
import { readMetricDatum } from './metric-datum.js'
import type { StoredDatum, StoredLogEvent } from './record.js'

export interface ReaderOptions<Rule> {
  /** Unix milliseconds. */
  now: number
  /** Milliseconds to add to the client's timestamps. */
  skew: number
  rule: Rule | null
}

/** @throws Refusal */
export type ItemReader<Item> = (item: unknown, index: number) => Item

/** Reads the data points of one request: checked, their timestamps by the server's clock, the application's rules applied. */
export function datumReader ({ now, skew, rule }: ReaderOptions<DatumRule>): ItemReader<StoredDatum> {
  if (skew === 0 && rule === null) return (item, index) => readMetricDatum(item, index, now)
  // A timestamp is as far from the client's time as the repaired one is from the server's.
  const clientNow = now - skew
  return (item, index) => {
    const datum = readMetricDatum(item, index, clientNow)
    datum.Timestamp += skew
    return rule === null ? datum : rule(datum, index)
  }
}

/** Reads the log events of one request, likewise. */
export function logEventReader ({ now, skew, rule }: ReaderOptions<LogEventRule>): ItemReader<StoredLogEvent> {
  if (skew === 0 && rule === null) return (item, index) => readLogEvent(item, index, now)
  const clientNow = now - skew
  return (item, index) => {
    const event = readLogEvent(item, index, clientNow)
    event[0] += skew
    return rule === null ? event : rule(event, index)
  }
}
