import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import { KINDS, type Kind } from '../../../schemas/kinds.js'
import { ApplicationBytes } from '../application-share.js'
import type { BatchSize } from '../batch-limits.js'
import type { Depth, SpoolOptions, UnreadCount } from '../spool.js'
import {
  addWaiting, isBatchReady, nextExpiry, reclaimExpired, returnEntries, type Destination, type HeldLease,
  type StoredEntry
} from './destination.js'
import { Destinations } from './destinations.js'
import { FairDueQueue } from './fair-due-queue.js'

const NOTHING: BatchSize = { items: 0, bytes: 0 }

type Totals = Record<'records' | 'items' | 'lineBytes', number>

export interface EntryWithValue {
  entry: StoredEntry
  value: Buffer
}

/** Where a take reads the values of entries. */
export interface EntryReader {
  read (destination: Destination, entry: StoredEntry): Buffer
  /** The entries of a destination behind its cursor, oldest first. */
  readBehindCursor (destination: Destination): Iterable<EntryWithValue>
}

export interface SchedulerOptions extends Pick<SpoolOptions, 'limits' | 'lingerMs' | 'leaseMs'> {
  now: () => MonotonicMs
  /** Called when a destination has become due before its linger. */
  onDue: (kind: Kind) => void
}

/** Which destination is due when, and which lease holds which entries: the memory of the embedded spool. */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #destinations = new Destinations()
  readonly #queues = byKind(() => new FairDueQueue<Destination>())
  readonly #totals = byKind((): Totals => ({ records: 0, items: 0, lineBytes: 0 }))
  readonly #lineBytesOf = new ApplicationBytes()
  readonly #leases = new Map<string, HeldLease>()
  #nextLease = 1

  constructor (options: SchedulerOptions) {
    this.#options = options
  }

  /** Takes in a destination of the table of names; its entries follow with `restore`. */
  load (id: number, kind: Kind, name: string): void {
    this.#destinations.load(id, kind, name)
  }

  /** Takes in a stored entry; entries of a destination without a name are left alone. */
  restore (destinationId: number, entry: StoredEntry, appendedAt: MonotonicMs): void {
    const destination = this.#destinations.findById(destinationId)
    if (destination === undefined) return
    const { limits, lingerMs } = this.#options
    this.#addStored(destination, [entry])
    addWaiting(destination, [entry], 1)
    destination.lastSeq = Math.max(destination.lastSeq, entry.seq)
    const ready = isBatchReady(destination, limits[destination.kind])
    this.#schedule(destination, ready ? this.#options.now() : appendedAt + lingerMs)
  }

  /** Call it once all destinations and entries are taken in. */
  restored (): void {
    this.#destinations.loaded()
  }

  /** @param name of the queue */
  destination (kind: Kind, name: string): Destination {
    return this.#destinations.findOrCreate(kind, name)
  }

  /**
   * The entries are committed.
   * @param appendedAt of the oldest, from which they linger
   */
  appended (destination: Destination, entries: StoredEntry[], urgent: boolean, appendedAt: MonotonicMs): void {
    this.#addStored(destination, entries)
    addWaiting(destination, entries, 1)
    destination.lastSeq = entries.at(-1)!.seq
    if (urgent) destination.urgentSeq = destination.lastSeq
    const ready = isBatchReady(destination, this.#options.limits[destination.kind])
    const wasDue = destination.dueAt !== null && destination.dueAt <= appendedAt
    this.#schedule(destination, ready ? appendedAt : appendedAt + this.#options.lingerMs)
    if (ready && !wasDue && destination.dueAt! <= appendedAt) this.#options.onDue(destination.kind)
  }

  /**
   * Leases entries of a destination that is due: the applications in turn, of each the destination that has been due
   * longest. Null when none is due.
   */
  take (kind: Kind, reader: EntryReader): { lease: HeldLease, picked: EntryWithValue[] } | null {
    const now = this.#options.now()
    const queue = this.#queues[kind]
    for (let next = queue.next(now); next !== undefined && next.dueAt! <= now; next = queue.next(now)) {
      for (const expired of reclaimExpired(next, now)) this.#leases.delete(expired.id)
      const picked = this.#pick(next, reader)
      const lease = picked.length === 0 ? null : this.#createLease(next, picked.map(({ entry }) => entry), now)
      this.#reschedule(next, now)
      queue.served(next.application)
      if (lease !== null) return { lease, picked }
    }
    return null
  }

  /** The items and bytes of a queue that no lease holds. */
  waiting (kind: Kind, name: string): BatchSize {
    return this.#destinations.find(kind, name)?.waiting ?? NOTHING
  }

  /** Makes destinations due that only linger. */
  flush (kind: Kind): void {
    const now = this.#options.now()
    const next = this.#queues[kind].next(now)
    if (next === undefined || next.dueAt! <= now) return
    for (const destination of this.#destinations.all()) {
      if (destination.kind === kind && hasWaiting(destination)) this.#schedule(destination, now)
    }
  }

  /** The queue whose turn it is, when it is due for its linger and not for a full batch. */
  lingered (kind: Kind): string | null {
    const now = this.#options.now()
    const next = this.#queues[kind].next(now)
    if (next === undefined || next.dueAt! > now) return null
    return isBatchReady(next, this.#options.limits[kind]) ? null : next.name
  }

  nextDueMs (kind: Kind): number | null {
    const now = this.#options.now()
    const next = this.#queues[kind].next(now)
    return next === undefined ? null : Math.max(0, next.dueAt! - now)
  }

  heldLease (id: string): HeldLease | undefined {
    return this.#leases.get(id)
  }

  extend (lease: HeldLease): void {
    lease.expiresAt = this.#options.now() + this.#options.leaseMs
  }

  release (lease: HeldLease, delayMs: number): void {
    const { destination } = lease
    const now = this.#options.now()
    this.#end(lease)
    returnEntries(destination, lease.entries)
    destination.attempt++
    this.#delay(destination, delayMs, now)
    this.#schedule(destination, now + delayMs)
  }

  /**
   * The lease is settled and its remainder committed.
   * @param progress whether an item of the lease has met its outcome
   */
  settled (lease: HeldLease, remainder: StoredEntry[], progress: boolean, delayMs: number | undefined): void {
    const { destination } = lease
    const now = this.#options.now()
    this.#end(lease)
    this.#count(destination, lease.entries, -1)
    this.#addStored(destination, remainder)
    returnEntries(destination, remainder)
    destination.attempt = progress || delayMs === undefined ? 0 : destination.attempt + 1
    this.#delay(destination, delayMs ?? 0, now)
    if (remainder.length > 0) this.#schedule(destination, now + (delayMs ?? 0))
    else if (destination.stored === 0) this.#emptied(destination)
  }

  /** The entries of a queue of unread records are committed; the queue is due after the delay, or earlier if it was. */
  setAside (queue: Destination, entries: StoredEntry[], delayMs: number): void {
    this.#addStored(queue, entries)
    addWaiting(queue, entries, 1)
    queue.lastSeq = entries.at(-1)!.seq
    this.#schedule(queue, this.#options.now() + delayMs)
  }

  /** Unread records, by kind and version. */
  unread (): UnreadCount[] {
    const counts = new Map<string, UnreadCount>()
    for (const { kind, unreadVersion: version, records } of this.#destinations.all()) {
      if (version === null || records === 0) continue
      const key = `${kind}:${version}`
      counts.set(key, { kind, version, records: records + (counts.get(key)?.records ?? 0) })
    }
    return [...counts.values()]
  }

  /** The settlement was not committed; the lease is held as before. */
  unsettled (lease: HeldLease): void {
    lease.settling = false
    this.#schedule(lease.destination, lease.expiresAt)
  }

  /** Empty destinations whose name may be forgotten, but for those in `except`. */
  forgettable (except: Set<Destination>): Destination[] {
    return this.#destinations.forgettable(except, this.#options.now())
  }

  forget (destinations: Destination[]): void {
    this.#destinations.forget(destinations)
  }

  /** @param firstBehindCursor the first entry of a destination behind its cursor */
  depth (
    kind: Kind | undefined, now: UnixMs, firstBehindCursor: (destination: Destination) => StoredEntry | undefined
  ): Depth {
    const depth: Depth = { records: 0, items: 0, bytes: 0, oldestAgeMs: 0 }
    for (const each of kind === undefined ? KINDS : [kind]) {
      const { records, items, lineBytes } = this.#totals[each]
      depth.records += records
      depth.items += items
      depth.bytes += lineBytes
    }
    for (const destination of this.#destinations.all()) {
      if (destination.stored === 0 || (kind !== undefined && destination.kind !== kind)) continue
      const leased = [...destination.leases].map(lease => lease.entries[0])
      for (const first of [destination.returned[0], firstBehindCursor(destination), ...leased]) {
        if (first !== undefined) depth.oldestAgeMs = Math.max(depth.oldestAgeMs, now - first.appendedAt)
      }
    }
    return depth
  }

  get items (): number {
    return KINDS.reduce((sum, kind) => sum + this.#totals[kind].items, 0)
  }

  get lineBytes (): number {
    return KINDS.reduce((sum, kind) => sum + this.#totals[kind].lineBytes, 0)
  }

  lineBytesOf (application: string): number {
    return this.#lineBytesOf.of(application)
  }

  #addStored (destination: Destination, entries: StoredEntry[]): void {
    if (entries.length > 0) this.#destinations.filled(destination)
    this.#count(destination, entries, 1)
  }

  #count (destination: Destination, entries: StoredEntry[], sign: 1 | -1): void {
    const totals = this.#totals[destination.kind]
    destination.stored += sign * entries.length
    for (const { records, items, lineBytes } of entries) {
      destination.records += sign * records
      totals.records += sign * records
      totals.items += sign * items
      totals.lineBytes += sign * lineBytes
      this.#lineBytesOf.add(destination.application, sign * lineBytes)
    }
  }

  #emptied (destination: Destination): void {
    this.#destinations.emptied(destination)
    this.#queues[destination.kind].set(destination, null)
  }

  /** Makes it due at `dueAt` or earlier, but never before its hold ends. */
  #schedule (destination: Destination, dueAt: MonotonicMs): void {
    const earliest = Math.min(destination.dueAt ?? Infinity, dueAt)
    this.#queues[destination.kind].set(destination, Math.max(earliest, destination.holdUntil))
  }

  #delay (destination: Destination, delayMs: number, now: MonotonicMs): void {
    if (delayMs === 0) return
    destination.holdUntil = Math.max(destination.holdUntil, now + delayMs)
    if (destination.dueAt !== null) this.#schedule(destination, destination.dueAt)
  }

  /** After a take: a destination with more to lease goes behind the destinations that are due already. */
  #reschedule (destination: Destination, now: MonotonicMs): void {
    const { limits, lingerMs } = this.#options
    let dueAt: MonotonicMs | null
    if (isBatchReady(destination, limits[destination.kind])) dueAt = now
    else if (hasWaiting(destination)) dueAt = now + lingerMs
    else dueAt = nextExpiry(destination)
    this.#queues[destination.kind].set(destination, dueAt)
  }

  #pick (destination: Destination, reader: EntryReader): EntryWithValue[] {
    const limits = this.#options.limits[destination.kind]
    const picked: EntryWithValue[] = []
    let items = 0
    let bytes = 0
    const add = (entry: StoredEntry, read: () => Buffer): boolean => {
      if (picked.length > 0 && (items + entry.items > limits.items || bytes + entry.bytes > limits.bytes)) return false
      picked.push({ entry, value: read() })
      items += entry.items
      bytes += entry.bytes
      return true
    }
    let takenEntries = 0
    for (const entry of destination.returned) {
      if (!add(entry, () => reader.read(destination, entry))) break
      takenEntries++
    }
    destination.returned = destination.returned.slice(takenEntries)
    if (destination.returned.length === 0 && destination.cursor < destination.lastSeq) {
      for (const { entry, value } of reader.readBehindCursor(destination)) {
        if (!add(entry, () => value)) break
        destination.cursor = entry.seq
      }
    }
    addWaiting(destination, picked.map(({ entry }) => entry), -1)
    return picked
  }

  #createLease (destination: Destination, entries: StoredEntry[], now: MonotonicMs): HeldLease {
    const expiresAt = now + this.#options.leaseMs
    const lease = { id: String(this.#nextLease++), destination, entries, expiresAt, settling: false }
    destination.leases.add(lease)
    this.#leases.set(lease.id, lease)
    return lease
  }

  #end (lease: HeldLease): void {
    lease.destination.leases.delete(lease)
    this.#leases.delete(lease.id)
  }
}

function hasWaiting ({ waiting, returned }: Destination): boolean {
  return waiting.items > 0 || returned.length > 0
}

function byKind<T> (create: () => T): Record<Kind, T> {
  return Object.fromEntries(KINDS.map(kind => [kind, create()])) as Record<Kind, T>
}
