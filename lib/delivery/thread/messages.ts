import type { RateLimiter } from '../../resilience/rate-limiter.js'
import type { LeasedRecord, SpoolRecord } from '../../spool/spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import { StoredLine } from '../../spool/stored-line.js'
import type { DeliverContext, Delivery, SinkCall } from '../sinks/sink.js'

/** A lease as it crosses to another thread: in a few large values. */
export interface PackedLease {
  kind: Kind
  destination: string
  application: string | undefined
  id: string
  attempt: number
  /** UTF-8 of the lines of the records, one behind the other. */
  lines: Uint8Array<SharedArrayBuffer>
  /** Of each record: items, bytes, time of its append, and the end of its line; in the same buffer. */
  sizes: Float64Array<SharedArrayBuffer>
}

/** From the thread that forwards to the one that delivers. */
export type ToSinks =
  | { type: 'deliver', delivery: number, lease: PackedLease, retentionDays: number | undefined, mayCreate: boolean }
  | { type: 'abort', delivery: number }
  /** The answer to `extend` and to `acquire`: whether the lease is held. */
  | { type: 'answer', question: number, held: boolean }

/** From the thread that delivers to the one that forwards, in arrays. */
export type FromSinks =
  | { type: 'call', delivery: number, call: SinkCall }
  | { type: 'aside', delivery: number, aside: boolean }
  | { type: 'rejected', delivery: number, rejected: Parameters<DeliverContext['onRejected']> }
  | { type: 'extend', delivery: number, question: number }
  | { type: 'acquire', delivery: number, api: string, question: number }
  | { type: 'throttled', api: string, retryAfterMs: Parameters<RateLimiter['throttled']>[0] }
  | { type: 'succeeded', api: string }
  /** Untouched: no item of the lease has met its outcome; the remainder, the whole lease, is not sent back. */
  | { type: 'delivered', delivery: number, outcome: Delivery, untouched: boolean }
  | { type: 'thrown', delivery: number, message: string }

const NUMBERS_PER_RECORD = 4

/** @param bufferOf gives a buffer of so many bytes or more, which nobody else uses until the delivery is over */
export function packRecords (
  records: readonly LeasedRecord[], bufferOf: (bytes: number) => SharedArrayBuffer
): Pick<PackedLease, 'lines' | 'sizes'> {
  const numbers = records.length * NUMBERS_PER_RECORD
  const sizesBytes = numbers * Float64Array.BYTES_PER_ELEMENT
  const end = records.reduce((sum, record) => sum + bytesOfLine(record), 0)
  const buffer = bufferOf(sizesBytes + end)
  const sizes = new Float64Array(buffer, 0, numbers)
  const lines = Buffer.from(buffer, sizesBytes, end)
  let at = 0
  let number = 0
  for (const record of records) {
    at += record instanceof StoredLine ? record.copyLine(lines, at) : lines.write(record.line, at)
    sizes[number++] = record.items
    sizes[number++] = record.bytes
    sizes[number++] = record.appendedAt
    sizes[number++] = at
  }
  return { lines, sizes }
}

export function unpackRecords ({ lines, sizes }: Pick<PackedLease, 'lines' | 'sizes'>): LeasedRecord[] {
  const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength)
  const records: LeasedRecord[] = []
  let start = 0
  for (let number = 0; number < sizes.length; number += NUMBERS_PER_RECORD) {
    const end = sizes[number + 3]!
    records.push(new StoredLine(text, start, end, {
      items: sizes[number]!,
      bytes: sizes[number + 1]!,
      appendedAt: sizes[number + 2]!
    }))
    start = end
  }
  return records
}

function bytesOfLine (record: LeasedRecord): number {
  return record instanceof StoredLine ? record.lineBytes : Buffer.byteLength(record.line)
}

/** The records of a lease as its remainder. */
export function remainderOf (records: readonly LeasedRecord[]): SpoolRecord[] {
  return records.map(({ line, items, bytes }) => ({ line, items, bytes }))
}

/** Whether all leased items are in the remainder. */
export function isUntouched ({ settlement: { remainder = [] } }: Delivery, records: readonly LeasedRecord[]): boolean {
  return sumOf(remainder) === sumOf(records)
}

function sumOf (records: ReadonlyArray<{ items: number }>): number {
  return records.reduce((sum, { items }) => sum + items, 0)
}
