import type { BatchLimits, LeasedRecord, SpoolRecord } from './spool.js'
import { StoredLine } from './stored-line.js'

/**
 * An entry holds at most this part of a batch, or one record: whole entries then fill a batch almost to its limit, and
 * small appends still share one.
 */
const CHUNKS_PER_BATCH = 32
const NEWLINE = 0x0a
/** Between two portions of a value; no line is empty. */
const SEPARATOR = Buffer.of(NEWLINE, NEWLINE)

/** Sums over several records of one destination that are stored as one entry. */
interface ChunkSizes {
  records: number
  items: number
  bytes: number
  /** UTF-8 bytes of the lines. */
  lineBytes: number
}

export interface Chunk extends ChunkSizes {
  /** Portions of `[[items,bytes],…]` of each record, then the lines, joined with newlines; between two an empty line. */
  value: Buffer
}

/** Chunks that are stored as one entry, in this order; the value of it is their values, one after the other. */
export interface MergedChunk extends ChunkSizes {
  values: Buffer[]
}

/** A chunk whose value is not written yet: as one string it would cost V8 more than as the bytes it has to become. */
export interface PackedChunk extends ChunkSizes {
  valueBytes: number
  /** Writes the value, all of it. */
  write (target: Buffer, at: number): void
}

export function lineBytesOf (records: SpoolRecord[]): number {
  let sum = 0
  for (const { line } of records) sum += Buffer.byteLength(line)
  return sum
}

/**
 * @param batch the limits of a lease
 * @param maxChunks the last one takes what is left, whatever its size
 */
export function packEntries (records: SpoolRecord[], batch: BatchLimits, maxChunks = Infinity): PackedChunk[] {
  const chunks: PackedChunk[] = []
  let start = 0
  let items = 0
  let bytes = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    const full = isFull(items + record.items, bytes + record.bytes, batch)
    if (i > start && full && chunks.length < maxChunks - 1) {
      chunks.push(packChunk(records, start, i))
      start = i
      items = 0
      bytes = 0
    }
    items += record.items
    bytes += record.bytes
  }
  if (start < records.length) chunks.push(packChunk(records, start, records.length))
  return chunks
}

function isFull (items: number, bytes: number, batch: BatchLimits): boolean {
  return items * CHUNKS_PER_BATCH > batch.items || bytes * CHUNKS_PER_BATCH > batch.bytes
}

export function writeChunk ({ valueBytes, write, ...sizes }: PackedChunk): Chunk {
  const value = Buffer.allocUnsafe(valueBytes)
  write(value, 0)
  return { ...sizes, value }
}

/** Puts small chunks together, in this order. */
export function mergeChunks (chunks: Chunk[], batch: BatchLimits): MergedChunk[] {
  const merged: MergedChunk[] = []
  let values: Buffer[] = []
  let sum = { records: 0, items: 0, bytes: 0, lineBytes: 0 }
  const push = (): void => {
    if (values.length > 0) merged.push({ ...sum, values })
  }
  for (const { records, items, bytes, lineBytes, value } of chunks) {
    if (values.length > 0 && !isFull(sum.items + items, sum.bytes + bytes, batch)) {
      values.push(SEPARATOR, value)
      sum = { records: sum.records + records, items: sum.items + items, bytes: sum.bytes + bytes, lineBytes: sum.lineBytes + lineBytes }
      continue
    }
    push()
    values = [value]
    sum = { records, items, bytes, lineBytes }
  }
  push()
  return merged
}

function packChunk (all: SpoolRecord[], start: number, end: number): PackedChunk {
  const records = all.slice(start, end)
  const head = `[${records.map(({ items, bytes }) => `[${items},${bytes}]`).join()}]`
  const bytesOfLines = records.map(({ line }) => Buffer.byteLength(line))
  const lineBytes = bytesOfLines.reduce((sum, bytes) => sum + bytes, 0)
  return {
    records: records.length,
    items: records.reduce((sum, { items }) => sum + items, 0),
    bytes: records.reduce((sum, { bytes }) => sum + bytes, 0),
    lineBytes,
    valueBytes: head.length + records.length + lineBytes,
    write (target, at) {
      at += target.write(head, at, 'latin1')
      records.forEach(({ line }, i) => {
        target[at++] = NEWLINE
        // A string of as many units as bytes is ASCII, which is written faster when nobody has to look.
        at += target.write(line, at, line.length === bytesOfLines[i] ? 'latin1' : 'utf8')
      })
    }
  }
}

/**
 * Reads the records of a stored entry back. Where the value is not what was stored, the whole entry comes back as one
 * record of its raw text, with the items and bytes that are known from outside the value, so that nobody reads it as
 * items and the ledger still balances.
 */
export function unpackChunk (value: Buffer, stored: { items: number, bytes: number, appendedAt: number }): LeasedRecord[] {
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
function unpackPortions (value: Buffer, appendedAt: number): StoredLine[] | null {
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
