import type { DatumRule, LogEventRule } from './item-policy.js'
import { readLogEvent } from '../items/log-event.js'
import { readMetricDatum } from '../items/metric-datum.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'

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
  receivedAt: number | null
}

/** Reads the data points of one request: checked, their timestamps by the server's clock, the application's rules applied. */
export function datumReader (options: ReaderOptions<DatumRule>): Reading<StoredDatum> {
  return createReader(readMetricDatum, (datum, skew) => { datum.Timestamp += skew }, options)
}

/** Reads the log events of one request, likewise. */
export function logEventReader (options: ReaderOptions<LogEventRule>): Reading<StoredLogEvent> {
  return createReader(readLogEvent, (event, skew) => { event[0] += skew }, options)
}

function createReader<Item> (
  read: (item: unknown, index: number, now: number) => Item,
  repairTime: (item: Item, skew: number) => void,
  { now, skew, rule }: ReaderOptions<(item: Item, index: number) => Item>
): Reading<Item> {
  if (skew === 0 && rule === null) return { read: (item, index) => read(item, index, now), receivedAt: now }
  // A timestamp is as far from the client's time as the repaired one is from the server's.
  const clientNow = now - skew
  return {
    read (unread, index) {
      const item = read(unread, index, clientNow)
      repairTime(item, skew)
      return rule === null ? item : rule(item, index)
    },
    receivedAt: null
  }
}
