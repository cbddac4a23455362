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

export interface Reading<Item> {
  read: ItemReader<Item>
  /** The time given to items without one, when they are read as they came; null when a clock or a rule changes them. */
  plainNow: number | null
}

/** Reads the data points of one request: checked, their timestamps by the server's clock, the application's rules applied. */
export function datumReader ({ now, skew, rule }: ReaderOptions<DatumRule>): Reading<StoredDatum> {
  if (skew === 0 && rule === null) return { read: (item, index) => readMetricDatum(item, index, now), plainNow: now }
  // A timestamp is as far from the client's time as the repaired one is from the server's.
  const clientNow = now - skew
  return {
    read (item, index) {
      const datum = readMetricDatum(item, index, clientNow)
      datum.Timestamp += skew
      return rule === null ? datum : rule(datum, index)
    },
    plainNow: null
  }
}

/** Reads the log events of one request, likewise. */
export function logEventReader ({ now, skew, rule }: ReaderOptions<LogEventRule>): Reading<StoredLogEvent> {
  if (skew === 0 && rule === null) return { read: (item, index) => readLogEvent(item, index, now), plainNow: now }
  const clientNow = now - skew
  return {
    read (item, index) {
      const event = readLogEvent(item, index, clientNow)
      event[0] += skew
      return rule === null ? event : rule(event, index)
    },
    plainNow: null
  }
}
