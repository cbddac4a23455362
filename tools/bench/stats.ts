import { Random } from '../shared/random.js'

/** The figures of several rounds of one measurement. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** @param values at least one */
export function spreadOf (values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** @param sorted ascending; @param share 0 to 1 */
export function percentile (sorted: ArrayLike<number>, share: number): number {
  return sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
}

/** The ratio of each round, so that noise which lasts longer than a round falls on both sides. */
export function ratiosOf (values: number[], reference: number[]): number[] {
  return values.map((value, round) => value / reference[round]!)
}

/** The sides in the order of this round: each round measures them in the opposite order of the round before. */
export function alternate<Side> (sides: Side[], round: number): Side[] {
  return round % 2 === 0 ? sides : [...sides].reverse()
}

/** A 95 % confidence interval. */
export interface Interval {
  low: number
  high: number
}

const RESAMPLES = 10_000
/** A fixed seed, so that the same rounds give the same interval. */
const BOOTSTRAP_SEED = 1

/**
 * The interval of the median, by the bootstrap: the medians of samples that are drawn from the values with replacement.
 * @param values at least one
 */
export function medianInterval (values: number[]): Interval {
  const random = new Random(BOOTSTRAP_SEED)
  const medians = Float64Array.from({ length: RESAMPLES }, () =>
    spreadOf(values.map(() => random.pick(values))).median).sort()
  return { low: percentile(medians, 0.025), high: percentile(medians, 0.975) }
}
