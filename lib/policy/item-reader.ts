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
export function datumReader ({ now, skew, policy }: ReaderOptions<DatumPolicy>): Reading<StoredDatum> {
  const clientNow = now - skew
  return {
    read (item, index) {
      // A timestamp is as far from the client's time as the repaired one is from the server's.
      const datum = readMetricDatum(item, index, clientNow)
      datum.Timestamp += skew
      return policy === null ? datum : policy(datum, index)
    },
    receivedAt: receivedAtOf({ now, skew, policy })
  }
}

/** Reads the log events of one request, likewise; the last to see a message is the policy for embedded metrics. */
export function logEventReader (
  { now, skew, policy, emf }: ReaderOptions<LogEventPolicy> & { emf: EmfPolicy }
): Reading<StoredLogEvent> {
  const clientNow = now - skew
  const reading: Reading<StoredLogEvent> = {
    read (item, index) {
      const read = readLogEvent(item, index, clientNow)
      read[0] += skew
      const event = policy === null ? read : policy(read, index)
      const message = emf(event[1], index)
      if (message === event[1]) return event
      reading.receivedAt = null
      return [event[0], message]
    },
    receivedAt: receivedAtOf({ now, skew, policy })
  }
  return reading
}

function receivedAtOf ({ now, skew, policy }: ReaderOptions<unknown>): UnixMs | null {
  return skew === 0 && policy === null ? now : null
}
