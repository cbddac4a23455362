import type { UnixMs } from '../../../schemas/common.js'
import { addSet, addValue, emptyDistribution, merge, type Distribution, type StatisticSet } from './statistics.js'

export interface Dimension {
  Name: string
  Value: string
}

/** A datum that has been found valid. */
export interface Datum {
  metricName: string
  dimensions: Dimension[]
  timestamp: UnixMs
  unit: string
  /** Storage resolution in seconds. */
  resolution: number
  /** Values with one count for each; empty for a datum with a statistic set. */
  values: number[]
  counts: number[]
  /** The statistic set; null for a datum with values. */
  set: StatisticSet | null
}

/** The data points of one stored second or minute, of one unit. */
export interface Bucket extends Distribution {
  /** Unix milliseconds at which the second or minute begins. */
  timestamp: number
  resolution: number
  unit: string
}

export interface Series {
  namespace: string
  metricName: string
  /** Dimensions sorted by name. */
  dimensions: Dimension[]
  buckets: Map<string, Bucket>
  /** Unix milliseconds of the newest data point. */
  newest: number
}

/** A series as the control API shows it. */
export interface SeriesSnapshot {
  namespace: string
  metricName: string
  dimensions: Dimension[]
  buckets: {
    timestamp: number
    resolution: number
    unit: string
    /** Values in ascending order. */
    values: number[]
    counts: number[]
    statisticValues: StatisticSet | null
  }[]
}

/** The points of one period. */
export interface PeriodPoints {
  /** Unix milliseconds at which the period begins. */
  timestamp: number
  /** Null when the units were not kept apart. */
  unit: string | null
  distribution: Distribution
}

export interface PeriodRange {
  /** Unix milliseconds; periods are counted from here. */
  start: number
  /** Unix milliseconds, exclusive. */
  end: number
  /** Length of a period in seconds. */
  period: number
  unit?: string
  /** Data older than this is not read. */
  oldest: number
  /** Whether points of different units stay apart. */
  byUnit: boolean
}

function byName (a: Dimension, b: Dimension): number {
  return a.Name < b.Name ? -1 : a.Name > b.Name ? 1 : 0
}

function seriesKey (namespace: string, metricName: string, sorted: Dimension[]): string {
  return JSON.stringify([namespace, metricName, ...sorted.flatMap(({ Name, Value }) => [Name, Value])])
}

/** Every metric, in the periods in which CloudWatch stores it. */
export class MetricStore {
  readonly #series = new Map<string, Series>()

  put (namespace: string, datum: Datum): void {
    const series = this.#open(namespace, datum)
    const width = datum.resolution * 1_000
    const timestamp = Math.floor(datum.timestamp / width) * width
    const key = `${timestamp} ${datum.resolution} ${datum.unit}`
    let bucket = series.buckets.get(key)
    if (bucket === undefined) {
      bucket = { timestamp, resolution: datum.resolution, unit: datum.unit, ...emptyDistribution() }
      series.buckets.set(key, bucket)
    }
    if (datum.set !== null) addSet(bucket, datum.set)
    for (let i = 0; i < datum.values.length; i++) addValue(bucket, datum.values[i]!, datum.counts[i]!)
    series.newest = Math.max(series.newest, datum.timestamp)
  }

  find (namespace: string, metricName: string, dimensions: Dimension[]): Series | null {
    return this.#series.get(seriesKey(namespace, metricName, [...dimensions].sort(byName))) ?? null
  }

  /** Every series, in the order in which they were first put. */
  all (): IterableIterator<Series> {
    return this.#series.values()
  }

  snapshot (namespace?: string): SeriesSnapshot[] {
    return [...this.#series.values()]
      .filter(series => namespace === undefined || series.namespace === namespace)
      .map(({ namespace, metricName, dimensions, buckets }) => ({
        namespace,
        metricName,
        dimensions,
        buckets: [...buckets.values()].sort((a, b) => a.timestamp - b.timestamp).map(snapshotBucket)
      }))
  }

  reset (): void {
    this.#series.clear()
  }

  #open (namespace: string, { metricName, dimensions }: Datum): Series {
    const sorted = [...dimensions].sort(byName)
    const key = seriesKey(namespace, metricName, sorted)
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { namespace, metricName, dimensions: sorted, buckets: new Map(), newest: 0 }
      this.#series.set(key, series)
    }
    return series
  }
}

function snapshotBucket ({ timestamp, resolution, unit, values, set }: Bucket): SeriesSnapshot['buckets'][number] {
  const sorted = [...values].sort((a, b) => a[0] - b[0])
  return {
    timestamp,
    resolution,
    unit,
    values: sorted.map(([value]) => value),
    counts: sorted.map(([, count]) => count),
    statisticValues: set
  }
}

/** The points of a series in periods, oldest first. Periods below a minute have only points of StorageResolution 1. */
export function inPeriods (series: Series, range: PeriodRange): PeriodPoints[] {
  const width = range.period * 1_000
  const periods = new Map<string, PeriodPoints>()
  for (const bucket of series.buckets.values()) {
    if (bucket.timestamp < range.start || bucket.timestamp >= range.end || bucket.timestamp < range.oldest) continue
    if (bucket.resolution > range.period || (range.unit !== undefined && bucket.unit !== range.unit)) continue
    const timestamp = range.start + Math.floor((bucket.timestamp - range.start) / width) * width
    const unit = range.byUnit ? bucket.unit : null
    const key = `${timestamp} ${unit ?? ''}`
    let points = periods.get(key)
    if (points === undefined) {
      points = { timestamp, unit, distribution: emptyDistribution() }
      periods.set(key, points)
    }
    merge(points.distribution, bucket)
  }
  return [...periods.values()].sort((a, b) => a.timestamp - b.timestamp)
}
