import type { UnixMs } from '../../schemas/common.js'
import type { BatchLimits } from './batch-limits.js'
import type { LeasedRecord, SpoolRecord } from './spool.js'
import { StoredLine } from './stored-line.js'

/**
 * An entry holds at most this part of a batch, or one record: whole entries then fill a batch almost to its limit, and
 * small appends still share one.
 */
const ENTRIES_PER_BATCH = 32
const NEWLINE = 0x0a
/** Between two portions of a value; no line is empty. */
const SEPARATOR = Buffer.of(NEWLINE, NEWLINE)

/** Sums over the records of an entry: records of one destination that are stored under one key. */
export interface EntrySizes {
  records: number
  items: number
  bytes: number
  /** UTF-8 bytes of the lines. */
  lineBytes: number
}

export interface EncodedEntry extends EntrySizes {
  /** One or more portions, with an empty line between two: `[[items,bytes],…]` of each record, then each line. */
  value: Buffer
}

/** Encoded entries that become one, in this order: their values, one after the other, are its value. */
export interface MergedEntry extends EntrySizes {
  values: Buffer[]
}

/** An entry whose value is not encoded yet, so that it can be written where it belongs without a copy. */
export interface PackedEntry extends EntrySizes {
  valueBytes: number
  /** Writes the whole value. */
  write (target: Buffer, at: number): void
}

export function lineBytesOf (records: SpoolRecord[]): number {
  let sum = 0
  for (const { line } of records) sum += Buffer.byteLength(line)
  return sum
}

/**
 * @param limits of a lease
 * @param maxEntries the last entry takes all records that are left, whatever their size
 */
export function packEntries (records: SpoolRecord[], limits: BatchLimits, maxEntries = Infinity): PackedEntry[] {
  const entries: PackedEntry[] = []
  let start = 0
  let items = 0
  let bytes = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    const full = isFullEntry(items + record.items, bytes + record.bytes, limits)
    if (i > start && full && entries.length < maxEntries - 1) {
      entries.push(packEntry(records.slice(start, i)))
      start = i
      items = 0
      bytes = 0
    }
    items += record.items
    bytes += record.bytes
  }
  if (start < records.length) entries.push(packEntry(records.slice(start)))
  return entries
}

function isFullEntry (items: number, bytes: number, limits: BatchLimits): boolean {
  return items * ENTRIES_PER_BATCH > limits.items || bytes * ENTRIES_PER_BATCH > limits.bytes
}

export function encodeEntry ({ valueBytes, write, ...sizes }: PackedEntry): EncodedEntry {
  const value = Buffer.allocUnsafe(valueBytes)
  write(value, 0)
  return { ...sizes, value }
}

/** Merges neighbours as long as they stay a small part of a batch; keeps the order. */
export function mergeEntries (entries: EncodedEntry[], limits: BatchLimits): MergedEntry[] {
  const merged: MergedEntry[] = []
  let values: Buffer[] = []
  let sum = { records: 0, items: 0, bytes: 0, lineBytes: 0 }
  const push = (): void => {
    if (values.length > 0) merged.push({ ...sum, values })
  }
  for (const { records, items, bytes, lineBytes, value } of entries) {
    if (values.length > 0 && !isFullEntry(sum.items + items, sum.bytes + bytes, limits)) {
      values.push(SEPARATOR, value)
      sum = {
        records: sum.records + records,
        items: sum.items + items,
        bytes: sum.bytes + bytes,
        lineBytes: sum.lineBytes + lineBytes
      }
      continue
    }
    push()
    values = [value]
    sum = { records, items, bytes, lineBytes }
  }
  push()
  return merged
}

function packEntry (records: SpoolRecord[]): PackedEntry {
  const header = `[${records.map(({ items, bytes }) => `[${items},${bytes}]`).join()}]`
  const bytesOfLines = records.map(({ line }) => Buffer.byteLength(line))
  const lineBytes = bytesOfLines.reduce((sum, bytes) => sum + bytes, 0)
  return {
    records: records.length,
    items: records.reduce((sum, { items }) => sum + items, 0),
    bytes: records.reduce((sum, { bytes }) => sum + bytes, 0),
    lineBytes,
    valueBytes: header.length + records.length + lineBytes,
    write (target, at) {
      at += target.write(header, at, 'latin1')
      records.forEach(({ line }, i) => {
        target[at++] = NEWLINE
        // A string of as many units as bytes is ASCII, which needs no transcoding.
        at += target.write(line, at, line.length === bytesOfLines[i] ? 'latin1' : 'utf8')
      })
    }
  }
}

/**
 * Reads the records of a stored entry back. When the value is not as it was stored, the whole entry comes back as one
 * record of its raw text, with the items and bytes that its key holds, so that nobody reads it as items and the ledger
 * still balances.
 */
export function unpackEntry (
  value: Buffer, stored: Pick<LeasedRecord, 'items' | 'bytes' | 'appendedAt'>
): LeasedRecord[] {
  const { items, bytes, appendedAt } = stored
  const records = unpackPortions(value, appendedAt)
  if (records !== null) {
    let itemsLeft = items
    let bytesLeft = bytes
    for (const record of records) {
      itemsLeft -= record.items
      bytesLeft -= record.bytes
    }
    if (itemsLeft === 0 && bytesLeft === 0) return records
  }
  return [{ line: value.toString().replaceAll('\n', ' '), items, bytes, appendedAt }]
}

/** Null when a portion has not as many lines as its header says. */
function unpackPortions (value: Buffer, appendedAt: UnixMs): StoredLine[] | null {
  const records: StoredLine[] = []
  for (let start = 0; start <= value.length;) {
    const end = indexOrEnd(value, SEPARATOR, start, value.length)
    let lineEnd = indexOrEnd(value, NEWLINE, start, end)
    const sizes = parseHeader(value.toString('utf8', start, lineEnd))
    if (sizes === null) return null
    for (const [items, bytes] of sizes) {
      const lineStart = lineEnd + 1
      if (lineStart > end) return null
      lineEnd = indexOrEnd(value, NEWLINE, lineStart, end)
      records.push(new StoredLine(value, lineStart, lineEnd, { items, bytes, appendedAt }))
    }
    if (lineEnd !== end) return null
    start = end + SEPARATOR.length
  }
  return records
}

function indexOrEnd (value: Buffer, wanted: Buffer | number, start: number, end: number): number {
  const index = value.indexOf(wanted, start)
  return index === -1 || index > end ? end : index
}

function parseHeader (header: string): [number, number][] | null {
  try {
    const sizes: unknown = JSON.parse(header)
    return Array.isArray(sizes) && sizes.every(size => Array.isArray(size) && size.length === 2) ? sizes : null
  } catch {
    return null
  }
}
