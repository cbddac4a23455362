import type { Pace } from '../../pace.js'
import type { Kind, LeasedRecord, SpoolRecord } from '../../spool/spool.js'
import type { DeliverContext, Delivery, SinkCall } from '../sink.js'

/** Of a lease, what a sink needs; a few large values cross to another thread faster than many small ones. */
export interface PackedLease {
  kind: Kind
  destination: string
  id: string
  attempt: number
  /** Lines of the records, joined with newlines. */
  lines: string
  /** Items, bytes and time of the append of each record. */
  sizes: Float64Array
}

/** From the thread that forwards to the one that delivers. */
export type ToSinks =
  | { type: 'deliver', delivery: number, lease: PackedLease, retentionDays: number | undefined }
  | { type: 'abort', delivery: number }
  /** Answer to `extend`, and to `acquire`: whether the lease is still held. */
  | { type: 'answer', question: number, held: boolean }

/** The other way. */
export type FromSinks =
  | { type: 'call', delivery: number, call: SinkCall }
  | { type: 'rejected', delivery: number, rejected: Parameters<DeliverContext['onRejected']> }
  | { type: 'extend', delivery: number, question: number }
  | { type: 'acquire', delivery: number, api: string, question: number }
  | { type: 'throttled', api: string, retryAfterMs: Parameters<Pace['throttled']>[0] }
  | { type: 'succeeded', api: string }
  /** Untouched: nothing of the lease has met its outcome, and the remainder, all of it, stays on the other side. */
  | { type: 'delivered', delivery: number, outcome: Delivery, untouched: boolean }
  | { type: 'thrown', delivery: number, message: string }

const NUMBERS = 3

export function packRecords (records: readonly LeasedRecord[]): Pick<PackedLease, 'lines' | 'sizes'> {
  const sizes = new Float64Array(records.length * NUMBERS)
  records.forEach(({ items, bytes, appendedAt }, i) => sizes.set([items, bytes, appendedAt], i * NUMBERS))
  return { lines: records.map(({ line }) => line).join('\n'), sizes }
}

export function unpackRecords ({ lines, sizes }: Pick<PackedLease, 'lines' | 'sizes'>): LeasedRecord[] {
  return lines.split('\n').map((line, i) => ({ line, items: sizes[i * NUMBERS]!, bytes: sizes[i * NUMBERS + 1]!, appendedAt: sizes[i * NUMBERS + 2]! }))
}

/** The records of a lease as its remainder. */
export function remainderOf (records: readonly LeasedRecord[]): SpoolRecord[] {
  return records.map(({ line, items, bytes }) => ({ line, items, bytes }))
}

/** Whether all that was leased is in the remainder. */
export function isUntouched ({ settlement: { remainder = [] } }: Delivery, records: readonly LeasedRecord[]): boolean {
  return sumOf(remainder) === sumOf(records)
}

function sumOf (records: ReadonlyArray<{ items: number }>): number {
  return records.reduce((sum, { items }) => sum + items, 0)
}
