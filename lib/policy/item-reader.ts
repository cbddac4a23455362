import type { UnixMs } from '../../schemas/common.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { readLogEvent } from '../items/log-event.js'
import { readMetricDatum } from '../items/metric-datum.js'
import type { DatumPolicy, LogEventPolicy } from './item-policy.js'

export interface ReaderOptions<Policy> {
  now: UnixMs
  /** Milliseconds to add to the client's timestamps. */
  skew: number
  policy: Policy | null
}

/** @throws InvalidItem */
export type ItemReader<Item> = (item: unknown, index: number) => Item

export interface Reading<Item> {
  read: ItemReader<Item>
  /** The timestamp of items without one, when they are stored verbatim; null when the skew or a policy changes them. */
  receivedAt: UnixMs | null
}

/** Reads the data points of one request: checked, timed by the server's clock, the application's policy applied. */
export function datumReader (options: ReaderOptions<DatumPolicy>): Reading<StoredDatum> {
  return createReader(readMetricDatum, (datum, skew) => { datum.Timestamp += skew }, options)
}

/** Reads the log events of one request, likewise. */
export function logEventReader (options: ReaderOptions<LogEventPolicy>): Reading<StoredLogEvent> {
  return createReader(readLogEvent, (event, skew) => { event[0] += skew }, options)
}

function createReader<Item> (
  read: (item: unknown, index: number, now: UnixMs) => Item,
  repairTime: (item: Item, skew: number) => void,
  { now, skew, policy }: ReaderOptions<(item: Item, index: number) => Item>
): Reading<Item> {
  if (skew === 0 && policy === null) return { read: (item, index) => read(item, index, now), receivedAt: now }
  // A timestamp is as far from the client's time as the repaired one is from the server's.
  const clientNow = now - skew
  return {
    read (unread, index) {
      const item = read(unread, index, clientNow)
      repairTime(item, skew)
      return policy === null ? item : policy(item, index)
    },
    receivedAt: null
  }
}
