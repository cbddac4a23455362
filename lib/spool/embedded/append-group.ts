import type { Append, SpoolRecord } from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'

/** Appends of one destination, gathered so that they share entries. */
export interface GroupedAppend {
  kind: Kind
  destination: string
  records: SpoolRecord[]
  urgent: boolean
}

/** Puts appends of one destination together. */
export class AppendGroup {
  readonly #byName = new Map<string, GroupedAppend>()

  get all (): GroupedAppend[] {
    return [...this.#byName.values()]
  }

  add ({ kind, destination, records, urgent = false }: Append): void {
    const name = `${kind}:${destination}`
    const gathered = this.#byName.get(name)
    if (gathered === undefined) {
      this.#byName.set(name, { kind, destination, records: [...records], urgent })
      return
    }
    for (const record of records) gathered.records.push(record)
    gathered.urgent ||= urgent
  }
}
