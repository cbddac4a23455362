export interface StatisticSet {
  SampleCount: number
  Sum: number
  Minimum: number
  Maximum: number
}

/** The data points of one period. */
export interface Distribution {
  /** Value to count, for the data points that are known one by one. */
  values: Map<number, number>
  /** The merged data points that came as statistic sets. */
  set: StatisticSet | null
}

export const STATISTICS = ['SampleCount', 'Average', 'Sum', 'Minimum', 'Maximum'] as const
export type Statistic = typeof STATISTICS[number]

const PERCENTILE = /^p(\d{1,2}(?:\.\d{1,10})?|100(?:\.0{1,10})?)$/

/** The number of a percentile such as `p99` or `p99.9`; null when it is not one between p0 and p100. */
export function parsePercentile (name: string): number | null {
  const match = PERCENTILE.exec(name)
  return match === null ? null : Number(match[1])
}

export function isStatistic (name: string): name is Statistic {
  return (STATISTICS as readonly string[]).includes(name)
}

/**
 * The percentile by nearest rank: of all data points in ascending order, each value repeated by its count, the one at
 * rank ⌈p ÷ 100 × n⌉, and the smallest for p0. It is always a value that was put, never one in between.
 * @param values value to count; counts are positive
 * @param p 0 to 100
 * @returns null when there are no values
 */
export function percentile (values: ReadonlyMap<number, number>, p: number): number | null {
  const sorted = [...values].sort((a, b) => a[0] - b[0])
  const total = sorted.reduce((sum, [, count]) => sum + count, 0)
  // p * total first: p / 100 is not exact, and 0.07 * 100 would land on rank 8
  const rank = (p * total) / 100
  let reached = 0
  for (const [value, count] of sorted) {
    reached += count
    if (reached > 0 && reached >= rank) return value
  }
  return sorted.length === 0 ? null : sorted[sorted.length - 1]![0]
}

export function emptyDistribution (): Distribution {
  return { values: new Map(), set: null }
}

export function addValue (target: Distribution, value: number, count: number): void {
  if (count > 0) target.values.set(value, (target.values.get(value) ?? 0) + count)
}

/**
 * Adds a statistic set. A set whose data points all have the same value is kept as that value and its count.
 */
export function addSet (target: Distribution, set: StatisticSet): void {
  const allEqual = set.Minimum === set.Maximum &&
    Math.abs(set.Sum - set.Minimum * set.SampleCount) <= 1e-9 * Math.abs(set.Sum)
  if (allEqual) addValue(target, set.Minimum, set.SampleCount)
  else target.set = target.set === null ? { ...set } : mergeSets(target.set, set)
}

export function merge (target: Distribution, source: Distribution): void {
  for (const [value, count] of source.values) addValue(target, value, count)
  if (source.set !== null) addSet(target, source.set)
}

function mergeSets (a: StatisticSet, b: StatisticSet): StatisticSet {
  return {
    SampleCount: a.SampleCount + b.SampleCount,
    Sum: a.Sum + b.Sum,
    Minimum: Math.min(a.Minimum, b.Minimum),
    Maximum: Math.max(a.Maximum, b.Maximum)
  }
}

/** All data points of a period as one statistic set; null when there are none. */
export function summarize (distribution: Distribution): StatisticSet | null {
  let summary: StatisticSet | null = distribution.set
  for (const [value, count] of distribution.values) {
    const set = { SampleCount: count, Sum: value * count, Minimum: value, Maximum: value }
    summary = summary === null ? set : mergeSets(summary, set)
  }
  return summary
}

/**
 * One statistic of a period.
 * @param name one of STATISTICS, or a percentile
 * @returns null when there is none: no data points, or a percentile of statistic sets or of negative values
 */
export function statistic (distribution: Distribution, name: string): number | null {
  const p = parsePercentile(name)
  if (p !== null) {
    if (distribution.set !== null) return null
    for (const value of distribution.values.keys()) if (value < 0) return null
    return percentile(distribution.values, p)
  }
  const summary = summarize(distribution)
  if (summary === null) return null
  return name === 'Average' ? summary.Sum / summary.SampleCount : summary[name as keyof StatisticSet]
}
