import type { Kind } from '../../../schemas/kinds.js'
import { queueName } from '../queue-name.js'
import type { Append, SpoolRecord } from '../spool.js'

/** The records that the appends of a group bring for one queue, so that they share entries. */
export interface GroupedAppend {
  kind: Kind
  queue: string
  records: SpoolRecord[]
  urgent: boolean
}

/** Groups appends by their queue. */
export class AppendGroup {
  readonly #byQueue = new Map<string, GroupedAppend>()

  get all (): GroupedAppend[] {
    return [...this.#byQueue.values()]
  }

  add ({ kind, destination, records, urgent = false, application = '' }: Append): void {
    const queue = queueName(destination, application)
    const name = `${kind}:${queue}`
    const grouped = this.#byQueue.get(name)
    if (grouped === undefined) {
      this.#byQueue.set(name, { kind, queue, records: [...records], urgent })
      return
    }
    for (const record of records) grouped.records.push(record)
    grouped.urgent ||= urgent
  }
}
