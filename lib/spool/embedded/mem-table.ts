import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import { ApplicationBytes } from '../application-share.js'
import { isFullBatch, type BatchLimits, type BatchSize } from '../batch-limits.js'
import type { EncodedEntry } from '../entry-codec.js'
import { keyBytesOf } from '../key-limits.js'
import { parseQueueName } from '../queue-name.js'
import type { Depth } from '../spool.js'
import type { FrameContent, KeyedAnswer, QueueEntries } from './frame.js'

/** The entries of one queue; `appendedAt` is that of the oldest. */
export interface MemTableQueue extends QueueEntries, BatchSize {
  /** Empty when nobody knows. */
  application: string
  /** When the oldest entry was appended. */
  since: MonotonicMs
}

/** The content of the MemTable at one moment. */
export interface MemTableContent {
  queues: MemTableQueue[]
  answers: KeyedAnswer[]
  /** The youngest frame whose content this holds. */
  frame: number
}

/**
 * The entries and answers that the journal has and the tables do not have yet: as durable as those in the tables, and
 * not leased before they are there.
 */
export class MemTable {
  readonly #lingerMs: number
  readonly #limits: Record<Kind, BatchLimits>
  #queues = new Map<string, MemTableQueue>()
  /** The answers that are kept for idempotency keys, by the key. */
  #answers = new Map<string, KeyedAnswer>()
  #keyBytes = 0
  /** The content that is on its way into the tables. */
  #flushing: MemTableContent | null = null
  #lineBytes = 0
  readonly #lineBytesOf = new ApplicationBytes()
  #items = 0
  /** The youngest frame that was added. */
  #frame = 0
  /** Kinds of which a full batch waits. */
  readonly #ready = new Set<Kind>()

  constructor (lingerMs: number, limits: Record<Kind, BatchLimits>) {
    this.#lingerMs = lingerMs
    this.#limits = limits
  }

  get isEmpty (): boolean {
    return this.#queues.size === 0 && this.#answers.size === 0 && this.#flushing === null
  }

  get items (): number {
    return this.#items
  }

  get lineBytes (): number {
    return this.#lineBytes
  }

  lineBytesOf (application: string): number {
    return this.#lineBytesOf.of(application)
  }

  /** Bytes that are kept for idempotency keys. */
  get keyBytes (): number {
    return this.#keyBytes
  }

  /**
   * @param frame whose content it is
   * @param since when it was appended
   * @param storedOf the items and bytes of a queue that the tables have and no lease holds
   * @returns the kinds of which now a full batch waits
   */
  add (
    frame: number, { queues, answers }: FrameContent, since: MonotonicMs,
    storedOf: (kind: Kind, queue: string) => BatchSize
  ): Kind[] {
    const ready: Kind[] = []
    for (const added of queues) {
      const { kind, queue: name } = added
      const queue = this.#queueOf(added, since)
      for (const entry of added.entries) {
        push(queue, entry)
        this.#count(queue, entry, 1)
      }
      if (!this.#ready.has(kind) && completesBatch(queue, storedOf(kind, name), this.#limits[kind])) {
        this.#ready.add(kind)
        ready.push(kind)
      }
    }
    for (const answer of answers) {
      this.#forget(answer[0])
      this.#answers.set(answer[0], answer)
      this.#keyBytes += keyBytesOf(answer[2])
    }
    this.#frame = frame
    return ready
  }

  answer (key: string): KeyedAnswer | undefined {
    return this.#answers.get(key)
  }

  /** Hands out the content, to be written into the tables; until `flushed` or `flushFailed` it counts as before. */
  beginFlush (): MemTableContent {
    const content = { queues: [...this.#queues.values()], answers: [...this.#answers.values()], frame: this.#frame }
    this.#flushing = content
    this.#queues = new Map()
    this.#ready.clear()
    return content
  }

  /** The tables have the content that was handed out. */
  flushed (): void {
    const { queues, answers } = this.#flushing!
    for (const queue of queues) for (const entry of queue.entries) this.#count(queue, entry, -1)
    // A key that had expired may have got another answer since.
    for (const answer of answers) if (this.#answers.get(answer[0]) === answer) this.#forget(answer[0])
    this.#flushing = null
  }

  /** The tables did not take the content that was handed out; it goes before the entries that were added since. */
  flushFailed (): void {
    const all = this.#all()
    this.#queues = new Map()
    for (const flushing of all) {
      const queue = this.#queueOf(flushing, flushing.since)
      for (const entry of flushing.entries) push(queue, entry)
    }
    this.#flushing = null
  }

  /** Whether it has entries of this queue. */
  has (kind: Kind, name: string): boolean {
    return this.#all().some(({ kind: other, queue }) => other === kind && queue === name)
  }

  /** Milliseconds until a queue of this kind is due; null when there is none. */
  nextDueMs (kind: Kind, now: MonotonicMs): number | null {
    if (this.#ready.has(kind)) return 0
    let oldest = Infinity
    for (const queue of this.#all()) if (queue.kind === kind) oldest = Math.min(oldest, queue.since)
    return oldest === Infinity ? null : Math.max(0, oldest + this.#lingerMs - now)
  }

  depth (kind: Kind | undefined, now: UnixMs): Depth {
    const depth: Depth = { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 }
    for (const queue of this.#all()) {
      if (kind !== undefined && queue.kind !== kind) continue
      for (const { records, items, lineBytes } of queue.entries) {
        depth.records += records
        depth.items += items
        depth.bytes += lineBytes
      }
      depth.oldestAgeMs = Math.max(depth.oldestAgeMs, now - queue.appendedAt)
    }
    return depth
  }

  #forget (key: string): void {
    const known = this.#answers.get(key)
    if (known === undefined) return
    this.#answers.delete(key)
    this.#keyBytes -= keyBytesOf(known[2])
  }

  #all (): MemTableQueue[] {
    return [...this.#flushing?.queues ?? [], ...this.#queues.values()]
  }

  #count ({ application }: MemTableQueue, { items, lineBytes }: EncodedEntry, sign: 1 | -1): void {
    this.#items += sign * items
    this.#lineBytes += sign * lineBytes
    this.#lineBytesOf.add(application, sign * lineBytes)
  }

  #queueOf ({ kind, queue: name, appendedAt, urgent }: QueueEntries, since: MonotonicMs): MemTableQueue {
    const key = `${kind}:${name}`
    let queue = this.#queues.get(key)
    if (queue === undefined) {
      const { application } = parseQueueName(name)
      queue = { kind, queue: name, application, entries: [], appendedAt, since, urgent, items: 0, bytes: 0 }
      this.#queues.set(key, queue)
    }
    queue.urgent ||= urgent
    return queue
  }
}

function push (queue: MemTableQueue, entry: EncodedEntry): void {
  queue.entries.push(entry)
  queue.items += entry.items
  queue.bytes += entry.bytes
}

/** Whether the queue makes its first full batch, together with its entries in the tables. */
function completesBatch ({ items, bytes }: MemTableQueue, stored: BatchSize, limits: BatchLimits): boolean {
  return !isFullBatch(stored, limits) &&
    isFullBatch({ items: items + stored.items, bytes: bytes + stored.bytes }, limits)
}
