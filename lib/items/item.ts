import { isObject } from '../guards.js'
import type { UnixMs } from '../../schemas/common.js'
import type { MetricDatum } from '../../schemas/metric.js'

/** A log event as it is stored. */
export type StoredLogEvent = [timestamp: UnixMs, message: string]

/** A data point as it is stored: its timestamp is always set. */
export type StoredDatum = Omit<MetricDatum, 'Timestamp'> & { Timestamp: UnixMs }

/** Whether a value that was read back from the spool has the form of a log event. */
export function isStoredLogEvent (value: unknown): value is StoredLogEvent {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'number' && typeof value[1] === 'string'
}

/** Whether a value that was read back from the spool has the form of a data point. */
export function isStoredDatum (value: unknown): value is StoredDatum {
  return isObject(value) && typeof value.MetricName === 'string' && typeof value.Timestamp === 'number'
}
