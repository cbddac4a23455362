import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import { isFullBatch, type BatchLimits, type BatchSize } from '../batch-limits.js'
import type { EntrySizes } from '../entry-codec.js'
import { parseQueueName } from '../queue-name.js'
import type { OwnedDue } from './fair-due-queue.js'

/** The key of an entry in the tables: all that is known of it without reading its value. */
export interface StoredEntry extends EntrySizes {
  /** Grows in the order of appends. */
  seq: number
  appendedAt: UnixMs
}

export interface HeldLease {
  id: string
  destination: Destination
  entries: StoredEntry[]
  expiresAt: MonotonicMs
  /** Its settlement is on its way to the disk, so it does not expire. */
  settling: boolean
}

/** One queue, without the values of its entries. */
export interface Destination extends OwnedDue {
  id: number
  kind: Kind
  /** That of the queue. */
  name: string
  /** Of a queue of unread records, their version; else null. */
  unreadVersion: number | null
  /** Its name is in the table of names. */
  named: boolean
  /** Entries in the tables, leased ones too, and the records in them. */
  stored: number
  records: number
  /** Items and bytes that no lease holds. */
  waiting: BatchSize
  /** Entries up to this sequence have been leased at least once. */
  cursor: number
  /** The youngest committed entry. */
  lastSeq: number
  /** Entries of leases that have ended or expired, oldest first; all are older than the cursor. */
  returned: StoredEntry[]
  leases: Set<HeldLease>
  /** The youngest urgent entry. */
  urgentSeq: number
  /** It is not due before. */
  holdUntil: MonotonicMs
  /** Leases in a row that ended without an outcome. */
  attempt: number
}

export function createDestination (id: number, kind: Kind, name: string, named: boolean): Destination {
  const { application, version } = parseQueueName(name)
  return {
    id,
    kind,
    name,
    application,
    unreadVersion: version,
    named,
    stored: 0,
    records: 0,
    waiting: { items: 0, bytes: 0 },
    cursor: 0,
    lastSeq: 0,
    returned: [],
    leases: new Set(),
    urgentSeq: 0,
    holdUntil: -Infinity,
    attempt: 0,
    dueAt: null,
    heapIndex: -1
  }
}

export function addWaiting (destination: Destination, entries: StoredEntry[], sign: 1 | -1): void {
  for (const { items, bytes } of entries) {
    destination.waiting.items += sign * items
    destination.waiting.bytes += sign * bytes
  }
}

/** Makes the entries of a lease that has ended ready for the next lease. */
export function returnEntries (destination: Destination, entries: StoredEntry[]): void {
  destination.returned = [...destination.returned, ...entries].sort((a, b) => a.seq - b.seq)
  addWaiting(destination, entries, 1)
}

/** Ends the leases that have expired. @returns these leases */
export function reclaimExpired (destination: Destination, now: MonotonicMs): HeldLease[] {
  const expired = [...destination.leases].filter(lease => !lease.settling && lease.expiresAt <= now)
  for (const lease of expired) {
    destination.leases.delete(lease)
    returnEntries(destination, lease.entries)
  }
  return expired
}

/** Whether a full batch or an urgent entry waits. */
export function isBatchReady ({ waiting, urgentSeq, cursor }: Destination, limits: BatchLimits): boolean {
  return isFullBatch(waiting, limits) || urgentSeq > cursor
}

/** When the first of its leases expires, but for leases that are being settled. */
export function nextExpiry (destination: Destination): MonotonicMs | null {
  const expiries = [...destination.leases].filter(lease => !lease.settling).map(lease => lease.expiresAt)
  return expiries.length === 0 ? null : Math.min(...expiries)
}
