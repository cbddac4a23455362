import type { Load } from './load/index.js'
import type { BenchProcesses } from './bench-processes.js'
import type { Table } from './table.js'

/** The means and the size of a run, given to every row. */
export interface Bench {
  processes: BenchProcesses
  load: Load
  quick: boolean
  /** Rounds of every figure that varies with time. */
  rounds: number
  /** The length of one measurement under load. */
  seconds: number
  /** Items of the large rows: a million unless it has to be quick. */
  items: number
  /** Shows the step that is under way. */
  progress (text: string): void
  /** Shows the figures of a round, in a line that stays. */
  reportRound (text: string): void
}

export interface Row {
  /** The name of the row on the command line. */
  name: string
  title: string
  run (bench: Bench): Promise<Table[]>
}

/** Connections of every load, unless a row says otherwise. */
export const CONNECTIONS = 32
