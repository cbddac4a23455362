import type { Chunk } from '../entry-codec.js'
import type { BatchLimits, Depth } from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { Claim, FrameContent, Journaled } from './frame.js'

/** What waits of one destination. */
export interface MemTableQueue extends BatchLimits {
  kind: Kind
  destination: string
  /** In the order in which they were appended. */
  chunks: Chunk[]
  /** Unix milliseconds of the oldest. */
  appendedAt: number
  urgent: boolean
}

/** What goes into the tables together. */
export interface Leaving {
  queues: MemTableQueue[]
  claims: Claim[]
  /** The youngest frame that is in it. */
  frame: number
}

/** What the journal holds and the tables do not yet: as durable as what they hold, and not to be leased before they do. */
export class MemTable {
  readonly #lingerMs: number
  readonly #limits: Record<Kind, BatchLimits>
  #queues = new Map<string, MemTableQueue>()
  /** By hash. */
  #claims = new Map<string, Claim>()
  /** On its way into the tables. */
  #leaving: Leaving | null = null
  #lineBytes = 0
  #items = 0
  /** Youngest frame of the journal that is in here, or was. */
  #frame = 0
  /** Kinds of which a full batch waits. */
  readonly #pressing = new Set<Kind>()

  constructor (lingerMs: number, limits: Record<Kind, BatchLimits>) {
    this.#lingerMs = lingerMs
    this.#limits = limits
  }

  get isEmpty (): boolean {
    return this.#queues.size === 0 && this.#claims.size === 0 && this.#leaving === null
  }

  get items (): number {
    return this.#items
  }

  get lineBytes (): number {
    return this.#lineBytes
  }

  /**
   * @param frame that holds them
   * @param storedOf what the tables have of a destination that no lease holds
   * @returns the kinds of which now a full batch waits
   */
  add (frame: number, { journaled, claims }: FrameContent, storedOf: (kind: Kind, destination: string) => BatchLimits): Kind[] {
    const pressed: Kind[] = []
    for (const each of journaled) {
      const queue = this.#queueOf(each)
      for (const chunk of each.chunks) {
        push(queue, chunk)
        this.#count(chunk, 1)
      }
      if (!this.#pressing.has(each.kind) && isPressing(queue, storedOf(each.kind, each.destination), this.#limits[each.kind])) {
        this.#pressing.add(each.kind)
        pressed.push(each.kind)
      }
    }
    for (const claim of claims) this.#claims.set(claim[0], claim)
    this.#frame = frame
    return pressed
  }

  /** The answer of a key that was claimed, by the hash of the key. */
  answer (hash: string): string | undefined {
    return this.#claims.get(hash)?.[2]
  }

  /** Hands all of it out, to be stored now; until `stored` or `failed` it counts as before. */
  leave (): Leaving {
    const leaving = { queues: [...this.#queues.values()], claims: [...this.#claims.values()], frame: this.#frame }
    this.#leaving = leaving
    this.#queues = new Map()
    this.#pressing.clear()
    return leaving
  }

  /** What has left is in the tables. */
  stored (): void {
    const { queues, claims } = this.#leaving!
    for (const { chunks } of queues) for (const chunk of chunks) this.#count(chunk, -1)
    // One that was claimed again since, as it had expired, is a claim of its own.
    for (const claim of claims) if (this.#claims.get(claim[0]) === claim) this.#claims.delete(claim[0])
    this.#leaving = null
  }

  /** What has left is not in the tables; it goes before what has come since. */
  failed (): void {
    const all = this.#all()
    this.#queues = new Map()
    for (const each of all) {
      const queue = this.#queueOf(each)
      for (const chunk of each.chunks) push(queue, chunk)
    }
    this.#leaving = null
  }

  /** Whether something of this destination is in here. */
  has (kind: Kind, destination: string): boolean {
    return this.#all().some(queue => queue.kind === kind && queue.destination === destination)
  }

  /** Milliseconds until something of this kind is due; null when there is nothing. */
  nextDueMs (kind: Kind, now: number): number | null {
    if (this.#pressing.has(kind)) return 0
    let oldest = Infinity
    for (const queue of this.#all()) if (queue.kind === kind) oldest = Math.min(oldest, queue.appendedAt)
    return oldest === Infinity ? null : Math.max(0, oldest + this.#lingerMs - now)
  }

  depth (kind: Kind | undefined, now: number): Depth {
    const depth: Depth = { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 }
    for (const queue of this.#all()) {
      if (kind !== undefined && queue.kind !== kind) continue
      for (const { records, items, lineBytes } of queue.chunks) {
        depth.records += records
        depth.items += items
        depth.bytes += lineBytes
      }
      depth.oldestAgeMs = Math.max(depth.oldestAgeMs, now - queue.appendedAt)
    }
    return depth
  }

  #all (): MemTableQueue[] {
    return [...this.#leaving?.queues ?? [], ...this.#queues.values()]
  }

  #count ({ items, lineBytes }: Chunk, sign: 1 | -1): void {
    this.#items += sign * items
    this.#lineBytes += sign * lineBytes
  }

  #queueOf ({ kind, destination, appendedAt, urgent }: Omit<Journaled, 'chunks'>): MemTableQueue {
    const name = `${kind}:${destination}`
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = { kind, destination, chunks: [], appendedAt, urgent, items: 0, bytes: 0 }
      this.#queues.set(name, queue)
    }
    queue.urgent ||= urgent
    return queue
  }
}

function push (queue: MemTableQueue, chunk: Chunk): void {
  queue.chunks.push(chunk)
  queue.items += chunk.items
  queue.bytes += chunk.bytes
}

/** Whether it makes a full batch of what is stored; where one is stored already, nobody waits for this. */
function isPressing ({ items, bytes }: MemTableQueue, stored: BatchLimits, limits: BatchLimits): boolean {
  return !isFull(stored, limits) && isFull({ items: items + stored.items, bytes: bytes + stored.bytes }, limits)
}

function isFull ({ items, bytes }: BatchLimits, limits: BatchLimits): boolean {
  return items >= limits.items || bytes >= limits.bytes
}
