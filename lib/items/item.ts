import type { MetricDatum } from '../../schemas/metric.js'

/** `[timestamp in Unix milliseconds, message]` */
export type StoredLogEvent = [number, string]

/** Timestamp in Unix milliseconds, always set. */
export type StoredDatum = Omit<MetricDatum, 'Timestamp'> & { Timestamp: number }
