import type { Load } from './load/index.js'
import type { Processes } from './processes.js'
import type { Table } from './table.js'

/** The means and the size of a run, given to every row. */
export interface Bench {
  processes: Processes
  load: Load
  quick: boolean
  /** Of everything that is measured in time. */
  rounds: number
  /** Of one measurement under load. */
  seconds: number
  /** Items of the large rows: a million unless it has to be quick. */
  items: number
  /** Shows the step that is under way. */
  progress (text: string): void
  /** Shows the figures of a round, in a line that stays. */
  reportRound (text: string): void
}

export interface Row {
  /** As given on the command line. */
  name: string
  title: string
  run (bench: Bench): Promise<Table[]>
}

/** Connections of every load, unless a row says otherwise. */
export const CONNECTIONS = 32
