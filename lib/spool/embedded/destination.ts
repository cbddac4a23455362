import type { BatchLimits } from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { Due } from './due-queue.js'

/** What is known of a stored entry without reading its value. */
export interface Entry {
  /** Grows in the order of appends. */
  seq: number
  records: number
  items: number
  bytes: number
  lineBytes: number
  /** Unix milliseconds. */
  appendedAt: number
}

export interface HeldLease {
  id: string
  destination: Destination
  entries: Entry[]
  expiresAt: number
  /** Its settlement is on its way to the disk, so it does not expire. */
  settling: boolean
}

/** The queue of one destination, as far as it lives in memory. */
export interface Destination extends Due {
  id: number
  kind: Kind
  name: string
  /** The name table has it. */
  named: boolean
  /** Stored entries, leased ones too. */
  stored: number
  /** Items and bytes that no lease holds. */
  waiting: BatchLimits
  /** Entries up to this sequence have been leased or returned. */
  cursor: number
  /** The youngest committed entry. */
  lastSeq: number
  /** Entries that came back from a lease, oldest first; all are older than the cursor. */
  returned: Entry[]
  leases: Set<HeldLease>
  /** The youngest urgent entry. */
  urgentSeq: number
  /** Unix milliseconds before which it is not due. */
  holdUntil: number
  /** Releases in a row. */
  attempt: number
}

export function createDestination (id: number, kind: Kind, name: string, named: boolean): Destination {
  return {
    id,
    kind,
    name,
    named,
    stored: 0,
    waiting: { items: 0, bytes: 0 },
    cursor: 0,
    lastSeq: 0,
    returned: [],
    leases: new Set(),
    urgentSeq: 0,
    holdUntil: 0,
    attempt: 0,
    dueAt: null,
    heapIndex: -1
  }
}

export function addWaiting (destination: Destination, entries: Entry[], sign: 1 | -1): void {
  for (const { items, bytes } of entries) {
    destination.waiting.items += sign * items
    destination.waiting.bytes += sign * bytes
  }
}

export function giveBack (destination: Destination, entries: Entry[]): void {
  destination.returned = [...destination.returned, ...entries].sort((a, b) => a.seq - b.seq)
  addWaiting(destination, entries, 1)
}

/** Ends leases that have run out and gives their entries back. */
export function reclaimExpired (destination: Destination, now: number): HeldLease[] {
  const expired = [...destination.leases].filter(lease => !lease.settling && lease.expiresAt <= now)
  for (const lease of expired) {
    destination.leases.delete(lease)
    giveBack(destination, lease.entries)
  }
  return expired
}

/** A full batch waits, or something urgent does. */
export function isBatchReady (destination: Destination, limits: BatchLimits): boolean {
  const { waiting, urgentSeq, cursor } = destination
  return waiting.items >= limits.items || waiting.bytes >= limits.bytes || urgentSeq > cursor
}

/** When the first of its leases runs out, but for those that are being settled. */
export function nextExpiry (destination: Destination): number | null {
  const expiries = [...destination.leases].filter(lease => !lease.settling).map(lease => lease.expiresAt)
  return expiries.length === 0 ? null : Math.min(...expiries)
}
