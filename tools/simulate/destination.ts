import type { BatchLimits } from '../../lib/spool/batch-limits.js'
import type { DueQueue, Due } from '../../lib/spool/embedded/due-queue.js'
import type { Flow, ItemSizes } from './scenario.js'

/** Items of one destination that were appended at about the same time. */
export interface Cohort {
  /** Milliseconds from the start to the append. */
  at: number
  items: number
}

/** With more cohorts than this, neighbours become one when little of the queue's age lies between them. */
const FINE_COHORTS = 128

/** A queue of one log stream or namespace, due by the rules of the spool. */
export class Destination implements Due {
  dueAt: number | null = null
  heapIndex = -1
  /** Failed deliveries in a row. */
  attempt = 0
  /** Items that no lease holds. */
  waiting = 0
  readonly flow: Flow
  readonly sizes: ItemSizes
  /** The shard of Redis that holds the destination. */
  readonly shard: number
  readonly #limits: BatchLimits
  readonly #lingerMs: number
  readonly #queue: DueQueue<Destination>
  #holdUntil = 0
  /** Cohorts that a delivery has given back, oldest first; older than all of #fresh. */
  #returned: Cohort[] = []
  #fresh: Cohort[] = []
  /** The index of the oldest cohort in #fresh. */
  #head = 0

  constructor (
    flow: Flow, sizes: ItemSizes, shard: number, limits: BatchLimits, lingerMs: number, queue: DueQueue<Destination>
  ) {
    this.flow = flow
    this.sizes = sizes
    this.shard = shard
    this.#limits = limits
    this.#lingerMs = lingerMs
    this.#queue = queue
  }

  /** When the oldest waiting cohort was appended; Infinity when nothing waits. */
  get oldestAt (): number {
    return this.#returned[0]?.at ?? this.#fresh[this.#head]?.at ?? Infinity
  }

  /** Whether items wait because a delivery has failed. */
  isHeld (now: number): boolean {
    return this.waiting > 0 && this.#holdUntil > now
  }

  /** @param firstAt when the first of the items came; the last came just now */
  append (items: number, firstAt: number, now: number): void {
    const at = (firstAt + now) / 2
    const last = this.#fresh.at(-1)
    const isLong = this.#fresh.length - this.#head > FINE_COHORTS
    if (isLong && at - last!.at < (now - this.oldestAt) / FINE_COHORTS) last!.items += items
    else this.#fresh.push({ at, items })
    this.waiting += items
    this.#schedule(this.#isBatchReady() ? now : firstAt + this.#lingerMs)
  }

  /** The oldest items, as many as a lease may hold. */
  take (now: number): Cohort[] {
    const { items, bytes } = this.#limits
    let room = Math.min(items, Math.floor(bytes / this.sizes.counted))
    const taken: Cohort[] = []
    for (let cohort = this.#first(); cohort !== undefined && room > 0; cohort = this.#first()) {
      const part = Math.min(room, cohort.items)
      taken.push({ at: cohort.at, items: part })
      room -= part
      cohort.items -= part
      this.waiting -= part
      if (cohort.items === 0) this.#dropFirst()
    }
    const dueAt = this.#isBatchReady() ? now : now + this.#lingerMs
    this.#queue.set(this, this.waiting > 0 ? Math.max(dueAt, this.#holdUntil) : null)
    return taken
  }

  /**
   * Ends a delivery, and takes its undelivered items back.
   * @param delayMs the hold after a failure; null without one
   */
  settle (left: Cohort[], progress: boolean, delayMs: number | null, now: number): void {
    this.attempt = progress || delayMs === null ? 0 : this.attempt + 1
    if (delayMs !== null) this.#holdUntil = Math.max(this.#holdUntil, now + delayMs)
    if (left.length > 0) {
      this.#returned = [...this.#returned, ...left].sort((a, b) => a.at - b.at)
      this.waiting += left.reduce((sum, { items }) => sum + items, 0)
      this.#schedule(now + (delayMs ?? 0))
    } else if (this.dueAt !== null) {
      this.#schedule(this.dueAt)
    }
  }

  /** Makes the destination due at `dueAt`, but never before its hold ends. */
  #schedule (dueAt: number): void {
    const at = Math.max(Math.min(this.dueAt ?? Infinity, dueAt), this.#holdUntil)
    if (at !== this.dueAt) this.#queue.set(this, at)
  }

  #isBatchReady (): boolean {
    return this.waiting >= this.#limits.items || this.waiting * this.sizes.counted >= this.#limits.bytes
  }

  #first (): Cohort | undefined {
    return this.#returned[0] ?? this.#fresh[this.#head]
  }

  #dropFirst (): void {
    if (this.#returned.length > 0) {
      this.#returned.shift()
      return
    }
    this.#head++
    if (this.#head > FINE_COHORTS && this.#head * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#head)
      this.#head = 0
    }
  }
}
