import { type BatchLimits, type Depth, type SpoolOptions } from '../spool.js'
import { KINDS, type Kind } from '../../../schemas/kinds.js'
import {
  addWaiting, createDestination, giveBack, isBatchReady, nextExpiry, reclaimExpired, type Destination, type Entry, type HeldLease
} from './destination.js'
import { DueQueue } from './due-queue.js'

const NOTHING: BatchLimits = { items: 0, bytes: 0 }

type Totals = Record<'records' | 'items' | 'lineBytes', number>

/** Reads the entries of a destination that were never leased, oldest first. */
export type ReadEntries = (destination: Destination) => Iterable<{ entry: Entry, value: Buffer }>
export type ReadEntry = (destination: Destination, entry: Entry) => Buffer

export interface Picked {
  entry: Entry
  value: Buffer
}

/** Who is due when, and who holds what: the part of the embedded spool that lives in memory. */
export class Scheduler {
  readonly #options: SpoolOptions
  readonly #onDue: (kind: Kind) => void
  readonly #byName = new Map<string, Destination>()
  readonly #byId = new Map<number, Destination>()
  readonly #queues = Object.fromEntries(KINDS.map(kind => [kind, new DueQueue<Destination>()])) as Record<Kind, DueQueue<Destination>>
  readonly #totals = Object.fromEntries(KINDS.map(kind => [kind, { records: 0, items: 0, lineBytes: 0 }])) as Record<Kind, Totals>
  readonly #leases = new Map<string, HeldLease>()
  /** Destinations that became empty; forgotten as soon as nothing refers to them. */
  readonly #emptied = new Set<Destination>()
  #nextId = 1
  #nextLease = 1

  constructor (options: SpoolOptions, onDue: (kind: Kind) => void) {
    this.#options = options
    this.#onDue = onDue
  }

  /** Takes in a destination of the name table; its entries follow with `restore`. */
  load (id: number, kind: Kind, name: string): void {
    this.#add(createDestination(id, kind, name, true))
  }

  /** Takes in a stored entry; false when its destination is not known. */
  restore (destinationId: number, entry: Entry, now: number): boolean {
    const destination = this.#byId.get(destinationId)
    if (destination === undefined) return false
    this.#store(destination, [entry])
    addWaiting(destination, [entry], 1)
    destination.lastSeq = Math.max(destination.lastSeq, entry.seq)
    this.#schedule(destination, isBatchReady(destination, this.#options.limits[destination.kind]) ? now : entry.appendedAt + this.#options.lingerMs)
    return true
  }

  /** Everything is taken in. */
  restored (): void {
    for (const destination of this.#byId.values()) if (destination.stored === 0) this.#emptied.add(destination)
  }

  destination (kind: Kind, name: string): Destination {
    const known = this.#byName.get(`${kind}:${name}`)
    if (known !== undefined) return known
    return this.#add(createDestination(this.#nextId, kind, name, false))
  }

  /** The entries are committed; they linger from when they were appended. */
  appended (destination: Destination, entries: Entry[], urgent: boolean, now: number): void {
    this.#store(destination, entries)
    addWaiting(destination, entries, 1)
    destination.lastSeq = entries.at(-1)!.seq
    if (urgent) destination.urgentSeq = destination.lastSeq
    const pressing = isBatchReady(destination, this.#options.limits[destination.kind])
    const wasDue = destination.dueAt !== null && destination.dueAt <= now
    this.#schedule(destination, pressing ? now : entries[0]!.appendedAt + this.#options.lingerMs)
    if (pressing && !wasDue && destination.dueAt! <= now) this.#onDue(destination.kind)
  }

  /** Leases what the destination that has been due longest has to give; null when nothing is due. */
  take (kind: Kind, now: number, readEntry: ReadEntry, readEntries: ReadEntries): { lease: HeldLease, picked: Picked[] } | null {
    const queue = this.#queues[kind]
    for (let next = queue.peek(); next !== undefined && next.dueAt! <= now; next = queue.peek()) {
      for (const expired of reclaimExpired(next, now)) this.#leases.delete(expired.id)
      const picked = this.#pick(next, readEntry, readEntries)
      const lease = picked.length === 0 ? null : this.#hold(next, picked.map(({ entry }) => entry), now)
      this.#reschedule(next, now)
      if (lease !== null) return { lease, picked }
    }
    return null
  }

  /** What no lease holds of a destination. */
  waiting (kind: Kind, name: string): BatchLimits {
    return this.#byName.get(`${kind}:${name}`)?.waiting ?? NOTHING
  }

  /** Makes due what only lingers. */
  flush (kind: Kind, now: number): void {
    const next = this.#queues[kind].peek()
    if (next === undefined || next.dueAt! <= now) return
    for (const destination of this.#byId.values()) {
      if (destination.kind === kind && (destination.waiting.items > 0 || destination.returned.length > 0)) this.#schedule(destination, now)
    }
  }

  /** The destination that has been due longest, when that is for its linger and not for a full batch. */
  lingered (kind: Kind, now: number): string | null {
    const next = this.#queues[kind].peek()
    return next === undefined || next.dueAt! > now || isBatchReady(next, this.#options.limits[kind]) ? null : next.name
  }

  nextDueMs (kind: Kind, now: number): number | null {
    const next = this.#queues[kind].peek()
    return next === undefined ? null : Math.max(0, next.dueAt! - now)
  }

  lease (id: string): HeldLease | undefined {
    return this.#leases.get(id)
  }

  extend (lease: HeldLease, now: number): void {
    lease.expiresAt = now + this.#options.leaseMs
  }

  release (lease: HeldLease, delayMs: number, now: number): void {
    const { destination } = lease
    this.#drop(lease)
    giveBack(destination, lease.entries)
    destination.attempt++
    this.#delay(destination, delayMs, now)
    this.#schedule(destination, now + delayMs)
  }

  /**
   * The lease is settled and its remainder committed.
   * @param progress something of the lease has met its outcome
   */
  settled (lease: HeldLease, remainder: Entry[], progress: boolean, delayMs: number | undefined, now: number): void {
    const { destination } = lease
    this.#drop(lease)
    this.#unstore(destination, lease.entries)
    this.#store(destination, remainder)
    giveBack(destination, remainder)
    destination.attempt = progress || delayMs === undefined ? 0 : destination.attempt + 1
    this.#delay(destination, delayMs ?? 0, now)
    if (remainder.length > 0) this.#schedule(destination, now + (delayMs ?? 0))
    else if (destination.stored === 0) this.#empty(destination)
  }

  /** The settlement did not get through; the lease is held as before. */
  unsettled (lease: HeldLease): void {
    lease.settling = false
    this.#schedule(lease.destination, lease.expiresAt)
  }

  /** Empty destinations whose name may be forgotten, but for those in `keep`. */
  forgettable (keep: Set<Destination>, now: number): Destination[] {
    return [...this.#emptied].filter(destination => destination.stored === 0 && destination.holdUntil <= now && !keep.has(destination))
  }

  forget (destinations: Destination[]): void {
    for (const destination of destinations) {
      this.#emptied.delete(destination)
      this.#byName.delete(`${destination.kind}:${destination.name}`)
      this.#byId.delete(destination.id)
    }
  }

  depth (kind: Kind | undefined, now: number, firstUnread: (destination: Destination) => Entry | undefined): Depth {
    const depth: Depth = { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 }
    for (const [each, totals] of Object.entries(this.#totals)) {
      if (kind !== undefined && each !== kind) continue
      depth.records += totals.records
      depth.items += totals.items
      depth.bytes += totals.lineBytes
    }
    for (const destination of this.#byId.values()) {
      if (destination.stored === 0 || (kind !== undefined && destination.kind !== kind)) continue
      const heads = [destination.returned[0], firstUnread(destination), ...[...destination.leases].map(lease => lease.entries[0])]
      for (const head of heads) if (head !== undefined) depth.oldestAgeMs = Math.max(depth.oldestAgeMs, now - head.appendedAt)
    }
    return depth
  }

  get items (): number {
    return KINDS.reduce((sum, kind) => sum + this.#totals[kind].items, 0)
  }

  get lineBytes (): number {
    return KINDS.reduce((sum, kind) => sum + this.#totals[kind].lineBytes, 0)
  }

  #add (destination: Destination): Destination {
    this.#nextId = Math.max(this.#nextId, destination.id + 1)
    this.#byName.set(`${destination.kind}:${destination.name}`, destination)
    this.#byId.set(destination.id, destination)
    return destination
  }

  #store (destination: Destination, entries: Entry[]): void {
    if (entries.length > 0) this.#emptied.delete(destination)
    this.#count(destination, entries, 1)
  }

  #unstore (destination: Destination, entries: Entry[]): void {
    this.#count(destination, entries, -1)
  }

  #count (destination: Destination, entries: Entry[], sign: 1 | -1): void {
    const totals = this.#totals[destination.kind]
    destination.stored += sign * entries.length
    for (const { records, items, lineBytes } of entries) {
      totals.records += sign * records
      totals.items += sign * items
      totals.lineBytes += sign * lineBytes
    }
  }

  #empty (destination: Destination): void {
    this.#emptied.add(destination)
    this.#queues[destination.kind].set(destination, null)
  }

  /** Makes it due at `dueAt` or earlier, but never before its hold ends. */
  #schedule (destination: Destination, dueAt: number): void {
    const earliest = Math.min(destination.dueAt ?? Infinity, dueAt)
    this.#queues[destination.kind].set(destination, Math.max(earliest, destination.holdUntil))
  }

  #delay (destination: Destination, delayMs: number, now: number): void {
    if (delayMs === 0) return
    destination.holdUntil = Math.max(destination.holdUntil, now + delayMs)
    if (destination.dueAt !== null) this.#schedule(destination, destination.dueAt)
  }

  /** After a take: a destination with more to give goes behind those that are due already. */
  #reschedule (destination: Destination, now: number): void {
    const { kind, waiting } = destination
    let dueAt: number | null
    if (isBatchReady(destination, this.#options.limits[kind])) dueAt = now
    else if (waiting.items > 0 || destination.returned.length > 0) dueAt = now + this.#options.lingerMs
    else dueAt = nextExpiry(destination)
    this.#queues[kind].set(destination, dueAt)
  }

  #pick (destination: Destination, readEntry: ReadEntry, readEntries: ReadEntries): Picked[] {
    const limits = this.#options.limits[destination.kind]
    const picked: Picked[] = []
    let items = 0
    let bytes = 0
    const add = (entry: Entry, read: () => Buffer): boolean => {
      if (picked.length > 0 && (items + entry.items > limits.items || bytes + entry.bytes > limits.bytes)) return false
      picked.push({ entry, value: read() })
      items += entry.items
      bytes += entry.bytes
      return true
    }
    let taken = 0
    for (const entry of destination.returned) {
      if (!add(entry, () => readEntry(destination, entry))) break
      taken++
    }
    destination.returned = destination.returned.slice(taken)
    if (destination.returned.length === 0 && destination.cursor < destination.lastSeq) {
      for (const { entry, value } of readEntries(destination)) {
        if (!add(entry, () => value)) break
        destination.cursor = entry.seq
      }
    }
    addWaiting(destination, picked.map(({ entry }) => entry), -1)
    return picked
  }

  #hold (destination: Destination, entries: Entry[], now: number): HeldLease {
    const lease = { id: String(this.#nextLease++), destination, entries, expiresAt: now + this.#options.leaseMs, settling: false }
    destination.leases.add(lease)
    this.#leases.set(lease.id, lease)
    return lease
  }

  #drop (lease: HeldLease): void {
    lease.destination.leases.delete(lease)
    this.#leases.delete(lease.id)
  }
}
