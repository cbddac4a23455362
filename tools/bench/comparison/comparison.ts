import type { Bench } from '../bench.js'
import type { Build } from '../builds.js'
import { formatNumber, formatRatio } from '../format.js'
import { alternate, medianInterval, ratiosOf } from '../stats.js'
import type { Line, Table, Target } from '../table.js'

/** The highest ratio of the new build's CPU to the old one's for the same work. */
export const CPU_LIMIT = 1.08

const SIDES = ['old', 'new'] as const
export type SideName = typeof SIDES[number]

/** A value for each of the two builds. */
export type Pair<Value> = Record<SideName, Value>

/** A row that is measured on two builds in turn. */
export interface Comparison {
  /** The name of the row on the command line. */
  name: string
  title: string
  run (bench: Bench, builds: Pair<Build>): Promise<Table[]>
}

/** The two sides, in the opposite order at every turn. */
export function sidesInTurn (turn: number): SideName[] {
  return alternate([...SIDES], turn)
}

/** One figure of both builds, round by round. */
export class PairedFigure {
  readonly #values: Pair<number[]> = { old: [], new: [] }

  constructor (readonly label: string, readonly unit: string, readonly target?: Target) {}

  add (side: SideName, value: number): void {
    this.#values[side].push(value)
  }

  /** The figures of the last round, in words. */
  describeRound (): string {
    const { old: before, new: after } = this.#values
    const [last, next] = [before.at(-1)!, after.at(-1)!]
    return `${this.label} ${formatNumber(last)} → ${formatNumber(next)} ${this.unit} (${formatRatio(next / last)})`
  }

  lines (builds: Pair<Build>): Line[] {
    const { old: before, new: after } = this.#values
    const ratios = ratiosOf(after, before)
    return [
      { label: `${this.label}: old, ${builds.old.label}`, unit: this.unit, values: before },
      {
        label: `${this.label}: new, ${builds.new.label}`,
        unit: this.unit,
        values: after,
        ratios,
        interval: medianInterval(ratios),
        ...(this.target !== undefined && { target: this.target })
      }
    ]
  }
}
