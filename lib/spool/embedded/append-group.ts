import type { Kind } from '../../../schemas/kinds.js'
import { queueName } from '../queue-name.js'
import type { Append, SpoolRecord } from '../spool.js'

/** Appends that one frame takes at most, and the bytes of their lines. */
export const MAX_GROUP_OPS = 2_000
export const MAX_GROUP_BYTES = 8 * 2 ** 20

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
    if (records.length === 0) return
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
