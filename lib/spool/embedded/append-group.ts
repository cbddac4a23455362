import type { Kind } from '../../../schemas/kinds.js'
import type { Append, SpoolRecord } from '../spool.js'

/** The records that the appends of a group bring for one destination, so that they share entries. */
export interface GroupedAppend {
  kind: Kind
  destination: string
  records: SpoolRecord[]
  urgent: boolean
  /** Empty when nobody knows. */
  application: string
}

/** Groups appends by destination. */
export class AppendGroup {
  readonly #byDestination = new Map<string, GroupedAppend>()

  get all (): GroupedAppend[] {
    return [...this.#byDestination.values()]
  }

  add ({ kind, destination, records, urgent = false, application = '' }: Append): void {
    const name = `${kind}:${destination}`
    const grouped = this.#byDestination.get(name)
    if (grouped === undefined) {
      this.#byDestination.set(name, { kind, destination, records: [...records], urgent, application })
      return
    }
    for (const record of records) grouped.records.push(record)
    grouped.urgent ||= urgent
  }
}
