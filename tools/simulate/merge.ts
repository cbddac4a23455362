import { PUT_LOG_EVENTS, PUT_METRIC_DATA } from '../../schemas/aws-limits.js'
import type { Flow } from './scenario.js'

const BUCKET_MS = PUT_METRIC_DATA.DEFAULT_STORAGE_RESOLUTION * 1_000
/** Bytes of an entry of Values and Counts in JSON: three digits, one digit, two commas; more digits change little. */
const VALUE_BYTES = 6

/** The calls of one lease, and their content. */
export interface Request {
  calls: number
  datums: number
  values: number
}

/** How many of `cells` are occupied after `things` have fallen into them at random. */
export function occupied (things: number, cells: number): number {
  if (cells === Infinity) return things
  return cells <= 1 ? Math.min(things, cells) : -cells * Math.expm1(things * Math.log1p(-1 / cells))
}

export function logRequest (events: number, countedBytes: number): Request {
  const { MAX_EVENTS, MAX_BYTES } = PUT_LOG_EVENTS
  return { calls: Math.ceil(Math.max(events / MAX_EVENTS, events * countedBytes / MAX_BYTES)), datums: 0, values: 0 }
}

/**
 * The calls that the metrics sink makes of data points whose series and values are random.
 * @param from, to  Unix milliseconds of the oldest and the youngest point
 */
export function metricRequest (
  points: number, { series, destinations, distinctValues, itemBytes }: Flow, from: number, to: number
): Request {
  const buckets = Math.floor(to / BUCKET_MS) - Math.floor(from / BUCKET_MS) + 1
  const cells = occupied(points, buckets * Math.max(1, series / destinations))
  const distinct = occupied(points / cells, distinctValues)
  const datums = cells * Math.max(1, Math.ceil(distinct / PUT_METRIC_DATA.MAX_VALUES - 1e-9))
  const values = cells * distinct
  const bytes = datums * itemBytes + Math.max(0, values - datums) * VALUE_BYTES
  const { MAX_DATUMS, MAX_BYTES } = PUT_METRIC_DATA
  return { calls: Math.max(1, Math.ceil(Math.max(datums / MAX_DATUMS, bytes / MAX_BYTES) - 1e-9)), datums, values }
}
