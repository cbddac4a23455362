import type { Pace } from '../../pace.js'
import type { Kind, LeasedRecord, SpoolRecord } from '../../spool/spool.js'
import { StoredLine } from '../../spool/stored-line.js'
import type { DeliverContext, Delivery, SinkCall } from '../sink.js'

/** Of a lease, what a sink needs; a few large values cross to another thread faster than many small ones. */
export interface PackedLease {
  kind: Kind
  destination: string
  id: string
  attempt: number
  /** UTF-8 of the lines of the records: one large string would take V8 longer to make than all else it is made of. */
  lines: Uint8Array<ArrayBuffer>
  /** Items, bytes and time of the append of each record, and where its line ends. */
  sizes: Float64Array<ArrayBuffer>
}

/** From the thread that forwards to the one that delivers. */
export type ToSinks =
  | { type: 'deliver', delivery: number, lease: PackedLease, retentionDays: number | undefined }
  | { type: 'abort', delivery: number }
  /** Answer to `extend`, and to `acquire`: whether the lease is held from now on. */
  | { type: 'answer', question: number, held: boolean }

/** The other way, in arrays. */
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

const NUMBERS = 4

/** Neither buffer is shared, so both can be transferred. */
export function packRecords (records: readonly LeasedRecord[]): Pick<PackedLease, 'lines' | 'sizes'> {
  const sizes = new Float64Array(records.length * NUMBERS)
  let end = 0
  records.forEach((record, i) => {
    end += record instanceof StoredLine ? record.lineBytes : Buffer.byteLength(record.line)
    sizes.set([record.items, record.bytes, record.appendedAt, end], i * NUMBERS)
  })
  const lines = Buffer.from(new ArrayBuffer(end))
  let at = 0
  for (const record of records) at += record instanceof StoredLine ? record.copyLine(lines, at) : lines.write(record.line, at)
  return { lines, sizes }
}

export function unpackRecords ({ lines, sizes }: Pick<PackedLease, 'lines' | 'sizes'>): LeasedRecord[] {
  const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength)
  let start = 0
  return Array.from({ length: sizes.length / NUMBERS }, (_, i) => {
    const [items, bytes, appendedAt, end] = sizes.subarray(i * NUMBERS) as unknown as [number, number, number, number]
    const record = new StoredLine(text, start, end, { items, bytes, appendedAt })
    start = end
    return record
  })
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
