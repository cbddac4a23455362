import { PUT_METRIC_DATA as LIMIT } from '../../../../schemas/aws-limits.js'
import type { UnixMs } from '../../../../schemas/common.js'
import type { StoredDatum } from '../../../items/item.js'
import { isMetricValue } from '../../../items/metric-datum.js'

/** A datum that stands for one or more data points of the same series and time bucket. */
export interface MergedDatum<Source> {
  datum: StoredDatum
  /** The data points that it stands for; a source is in one merged datum only. */
  sources: Source[]
  /** Bytes of its JSON in the request. */
  bytes: number
}

type SeriesHead = Pick<StoredDatum, 'MetricName' | 'Dimensions' | 'Timestamp' | 'Unit' | 'StorageResolution'>
type Dimensions = NonNullable<StoredDatum['Dimensions']>
type StatisticSet = NonNullable<StoredDatum['StatisticValues']>

/** The data points of one series and time bucket, merged. */
interface Series<Source> {
  head: SeriesHead
  valueSets: Array<ValueSet<Source>>
  /** The set that holds each value. */
  homes: Map<number, ValueSet<Source>>
  statisticSets: Array<{ statistics: StatisticSet, sources: Source[] }>
}

interface ValueSet<Source> {
  counts: Map<number, number>
  sources: Source[]
}

/**
 * Merges data points of one metric, dimension set, unit, resolution and time bucket, losing nothing: each distinct
 * value keeps its count, so sums, extremes and percentiles stay what they were. Statistic sets, whose values are
 * unknown, merge with each other only. The time of a merged datum is the start of its bucket, which is what CloudWatch
 * stores. A point is never spread over two datums, so that it has one outcome.
 */
export class Aggregator<Source> {
  readonly #series = new Map<string, Series<Source>>()

  /** @param source stands for the data point in the merged datum */
  add (datum: StoredDatum, source: Source): void {
    const key = keyOf(datum)
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { head: headOf(datum), valueSets: [], homes: new Map(), statisticSets: [] }
      this.#series.set(key, series)
    }
    if (datum.StatisticValues === undefined) addValues(series, datum, source)
    else addStatistics(series, datum.StatisticValues, source)
  }

  /** In the order in which the series were first seen. */
  merged (): Array<MergedDatum<Source>> {
    return [...this.#series.values()].flatMap(mergedOf)
  }
}

/** Merges data points, each with its source. */
export function aggregate<Source> (points: Iterable<readonly [StoredDatum, Source]>): Array<MergedDatum<Source>> {
  const aggregator = new Aggregator<Source>()
  for (const [datum, source] of points) aggregator.add(datum, source)
  return aggregator.merged()
}

/** The key of a point's series and bucket, for any order of its dimensions, and with defaults written or not. */
function keyOf (datum: StoredDatum): string {
  const { MetricName, Dimensions = [], Unit = 'None', StorageResolution = LIMIT.DEFAULT_STORAGE_RESOLUTION } = datum
  const parts = [MetricName, Unit, StorageResolution, bucketOf(datum)]
  for (const { Name, Value } of sorted(Dimensions)) parts.push(Name, Value)
  return JSON.stringify(parts)
}

/** Defaults are left out: fewer bytes to send. */
function headOf (datum: StoredDatum): SeriesHead {
  const { MetricName, Dimensions = [], Unit = 'None', StorageResolution = LIMIT.DEFAULT_STORAGE_RESOLUTION } = datum
  const head: SeriesHead = { MetricName, Timestamp: bucketOf(datum) }
  if (Dimensions.length > 0) head.Dimensions = sorted(Dimensions)
  if (Unit !== 'None') head.Unit = Unit
  if (StorageResolution !== LIMIT.DEFAULT_STORAGE_RESOLUTION) head.StorageResolution = StorageResolution
  return head
}

/** The start of its time bucket. */
function bucketOf ({ Timestamp, StorageResolution = LIMIT.DEFAULT_STORAGE_RESOLUTION }: StoredDatum): UnixMs {
  const bucketMs = StorageResolution * 1_000
  return Math.floor(Timestamp / bucketMs) * bucketMs
}

function sorted (dimensions: Dimensions): Dimensions {
  return dimensions.length < 2
    ? dimensions
    : [...dimensions].sort((a, b) => compare(a.Name, b.Name) || compare(a.Value, b.Value))
}

function compare (a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function addValues<Source> (series: Series<Source>, datum: StoredDatum, source: Source): void {
  const counts = countsOf(datum)
  const home = counts.length === 1 ? series.homes.get(counts[0]![0]) : undefined
  let set = home ?? series.valueSets.at(-1)
  if (set === undefined || !fits(set, counts)) {
    set = { counts: new Map(), sources: [] }
    series.valueSets.push(set)
  }
  for (const [value, count] of counts) {
    set.counts.set(value, (set.counts.get(value) ?? 0) + count)
    series.homes.set(value, set)
  }
  set.sources.push(source)
}

/** Each distinct value once. */
function countsOf ({ Value, Values, Counts }: StoredDatum): Array<[value: number, count: number]> {
  if (Values === undefined) return [[Value!, 1]]
  const counts = new Map<number, number>()
  Values.forEach((value, i) => counts.set(value, (counts.get(value) ?? 0) + (Counts?.[i] ?? 1)))
  return [...counts]
}

function fits<Source> (set: ValueSet<Source>, counts: Array<[value: number, count: number]>): boolean {
  let size = set.counts.size
  for (const [value, count] of counts) {
    const present = set.counts.get(value)
    if (present === undefined) size++
    else if (!isMetricValue(present + count)) return false
  }
  return size <= LIMIT.MAX_VALUES
}

function addStatistics<Source> (series: Series<Source>, added: StatisticSet, source: Source): void {
  const last = series.statisticSets.at(-1)
  const merged = last === undefined ? null : mergeStatistics(last.statistics, added)
  if (last === undefined || merged === null) {
    series.statisticSets.push({ statistics: added, sources: [source] })
    return
  }
  last.statistics = merged
  last.sources.push(source)
}

/** Null when CloudWatch would refuse the merged statistic set: its sums are too large, or too near to zero. */
function mergeStatistics (a: StatisticSet, b: StatisticSet): StatisticSet | null {
  const merged = {
    SampleCount: a.SampleCount + b.SampleCount,
    Sum: a.Sum + b.Sum,
    Minimum: Math.min(a.Minimum, b.Minimum),
    Maximum: Math.max(a.Maximum, b.Maximum)
  }
  return isMetricValue(merged.Sum) && isMetricValue(merged.SampleCount) ? merged : null
}

function mergedOf<Source> ({ head, valueSets, statisticSets }: Series<Source>): Array<MergedDatum<Source>> {
  return [
    ...valueSets.map(({ counts, sources }) => measured({ ...head, ...writeValues(counts) }, sources)),
    ...statisticSets.map(({ statistics, sources }) => measured({ ...head, StatisticValues: statistics }, sources))
  ]
}

/** The shortest form: a lone Value, Values, or Values with Counts. */
function writeValues (counts: Map<number, number>): Pick<StoredDatum, 'Value' | 'Values' | 'Counts'> {
  const Values = [...counts.keys()]
  const Counts = [...counts.values()]
  if (Counts.some(count => count !== 1)) return { Values, Counts }
  return Values.length === 1 ? { Value: Values[0]! } : { Values }
}

/** The SDK writes the time in seconds and everything else as JSON.stringify does. */
function measured<Source> (datum: StoredDatum, sources: Source[]): MergedDatum<Source> {
  return { datum, sources, bytes: Buffer.byteLength(JSON.stringify({ ...datum, Timestamp: datum.Timestamp / 1_000 })) }
}
