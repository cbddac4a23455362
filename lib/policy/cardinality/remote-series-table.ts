import type { Channel } from '../../processes/channel.js'
import { LocalSeriesTable, type Collapse, type SeriesClaim, type SeriesTable } from './series-table.js'

const CLAIM = 'series.claim'

/** Lets another process claim series of this table. */
export function serveSeriesTable (channel: Channel, table: SeriesTable): void {
  channel.handle(CLAIM, (day: number, claims: SeriesClaim[]) => table.claim(day, claims))
}

/** The series of all processes that take requests, in the process that owns the store. */
export class RemoteSeriesTable implements SeriesTable {
  readonly #channel: Channel
  /** Decides when that process has gone, which ends this one, too. */
  readonly #local = new LocalSeriesTable()

  constructor (channel: Channel) {
    this.#channel = channel
  }

  async claim (day: number, claims: readonly SeriesClaim[]): Promise<Collapse[]> {
    try {
      return await this.#channel.call<Collapse[]>(CLAIM, day, claims)
    } catch {
      return this.#local.claim(day, claims)
    }
  }
}
