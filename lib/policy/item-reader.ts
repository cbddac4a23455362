import type { UnixMs } from '../../schemas/common.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { readLogEvent } from '../items/log-event.js'
import { readMetricDatum } from '../items/metric-datum.js'
import type { EmfPolicy } from './emf/emf-policy.js'
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
  /**
   * The timestamp of items without one, when they are stored verbatim; null when the skew or a policy changes them. To
   * be looked at when all items were read.
   */
  receivedAt: UnixMs | null
}

/** Reads the data points of one request: checked, timed by the server's clock, the application's policy applied. */
export function datumReader (options: ReaderOptions<DatumPolicy>): Reading<StoredDatum> {
  return createReader(readMetricDatum, (datum, skew) => { datum.Timestamp += skew }, options)
}

/** Reads the log events of one request, likewise; the last to see a message is the policy for embedded metrics. */
export function logEventReader (
  { emf, ...options }: ReaderOptions<LogEventPolicy> & { emf: EmfPolicy }
): Reading<StoredLogEvent> {
  const { read, receivedAt } = createReader(readLogEvent, (event, skew) => { event[0] += skew }, options)
  const reading: Reading<StoredLogEvent> = {
    read (item, index) {
      const event = read(item, index)
      const message = emf(event[1], index)
      if (message === event[1]) return event
      reading.receivedAt = null
      return [event[0], message]
    },
    receivedAt
  }
  return reading
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
