import type { Load } from './load/index.js'
import type { Processes } from './processes.js'
import type { Table } from './table.js'

/** What every row is given. */
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
  /** Says what is going on. */
  progress (text: string): void
  /** Says what a round has measured. */
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
