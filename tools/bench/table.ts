import type { Interval } from './stats.js'

/** The limit of a figure. */
export interface Target {
  /** The ratio to the reference, the same per CPU-second, or the figure itself. */
  of: 'ratio' | 'cpuRatio' | 'value'
  bound: 'at least' | 'at most'
  limit: number
}

/** One figure, measured in several rounds. */
export interface Line {
  label: string
  unit: string
  /** The value of each round. */
  values: number[]
  /** The ratio of each round to the reference of the table. */
  ratios?: number[]
  /** The same per CPU-second of the processes that were measured, which other work on the machine disturbs less. */
  cpuRatios?: number[]
  /** The interval of the median ratio. With it, a target is missed only when the whole interval lies beyond it. */
  interval?: Interval
  target?: Target
  note?: string
}

export interface Table {
  title: string
  lines: Line[]
  /** How the figures were measured. */
  notes: string[]
}

export const atLeast = (limit: number, of: Target['of'] = 'ratio'): Target => ({ of, bound: 'at least', limit })
export const atMost = (limit: number, of: Target['of'] = 'ratio'): Target => ({ of, bound: 'at most', limit })
