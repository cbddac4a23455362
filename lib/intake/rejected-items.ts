import { MAX_REJECTED_ENTRIES, type IntakeAnswer, type RejectedItemReason } from '../../schemas/intake.js'

/** Characters of a message in an answer; it may quote a name that the client has chosen, or CloudWatch's message. */
const MAX_MESSAGE_LENGTH = 256

export type RejectedEntry = IntakeAnswer['rejected'][number]
export type RejectedCount = Partial<Record<RejectedItemReason, number>>

/** As a rule every item is accepted. */
const NONE: RejectedEntry[] = []
const NOTHING: RejectedCount = Object.freeze({})

/** The items of one request that are not accepted: the first are named, all are counted. */
export class RejectedItems {
  #entries: RejectedEntry[] = NONE
  #total = 0
  #count: RejectedCount = NOTHING

  get total (): number {
    return this.#total
  }

  /** By reason. */
  get count (): RejectedCount {
    return this.#count
  }

  /** @param index in the request */
  add (index: number, reason: RejectedItemReason, message: string): void {
    this.#add(reason, 1)
    if (this.#entries.length === MAX_REJECTED_ENTRIES) return
    this.#entries.push(shorten({ index, reason, message }))
  }

  /** Adds other items of the same request, and names those with the lowest indexes. */
  merge (entries: readonly RejectedEntry[], count: RejectedCount): void {
    for (const [reason, items] of Object.entries(count)) this.#add(reason as RejectedItemReason, items)
    const all = [...this.#entries, ...entries].sort((a, b) => a.index - b.index)
    this.#entries = all.slice(0, MAX_REJECTED_ENTRIES).map(shorten)
  }

  mergeAll (other: RejectedItems): void {
    if (other.#total > 0) this.merge(other.#entries, other.#count)
  }

  /** As an answer states them; nothing is counted where nothing was rejected. */
  toJSON (): Pick<IntakeAnswer, 'rejected' | 'rejectedCount'> {
    return this.#total === 0 ? { rejected: [] } : { rejected: this.#entries, rejectedCount: this.#count }
  }

  #add (reason: RejectedItemReason, items: number): void {
    if (this.#total === 0) {
      this.#entries = []
      this.#count = {}
    }
    this.#total += items
    this.#count[reason] = (this.#count[reason] ?? 0) + items
  }
}

function shorten (entry: RejectedEntry): RejectedEntry {
  const { message } = entry
  return message.length <= MAX_MESSAGE_LENGTH ? entry : { ...entry, message: message.slice(0, MAX_MESSAGE_LENGTH) }
}
