import type { BatchLimits, LeasedRecord, SpoolRecord } from './spool.js'

/**
 * An entry holds at most this part of a batch, or one record: whole entries then fill a batch almost to its limit, and
 * small appends still share one.
 */
const CHUNKS_PER_BATCH = 32

/** Several records of one destination, stored as one entry. */
export interface Chunk {
  records: number
  items: number
  bytes: number
  /** UTF-8 bytes of the lines. */
  lineBytes: number
  /** `[[items,bytes],…]` of each record, then the lines, joined with newlines. */
  value: string
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
export function packChunks (records: SpoolRecord[], batch: BatchLimits, maxChunks = Infinity): Chunk[] {
  const chunks: Chunk[] = []
  let start = 0
  let items = 0
  let bytes = 0
  for (let i = 0; i < records.length; i++) {
    const record = records[i]!
    const full = (items + record.items) * CHUNKS_PER_BATCH > batch.items || (bytes + record.bytes) * CHUNKS_PER_BATCH > batch.bytes
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

function packChunk (records: SpoolRecord[], start: number, end: number): Chunk {
  let header = ''
  let lines = ''
  let items = 0
  let bytes = 0
  let lineBytes = 0
  for (let i = start; i < end; i++) {
    const record = records[i]!
    header += `${i > start ? ',' : ''}[${record.items},${record.bytes}]`
    lines += `\n${record.line}`
    items += record.items
    bytes += record.bytes
    lineBytes += Buffer.byteLength(record.line)
  }
  return { records: end - start, items, bytes, lineBytes, value: `[${header}]${lines}` }
}

/**
 * Reads the records of a stored entry back. Where the value is not what was stored, the whole entry comes back as one
 * record of its raw text, with the items and bytes that are known from outside the value, so that nobody reads it as
 * items and the ledger still balances.
 */
export function unpackChunk (value: string, stored: { items: number, bytes: number, appendedAt: number }): LeasedRecord[] {
  const { items, bytes, appendedAt } = stored
  const [header, ...lines] = value.split('\n')
  const sizes = parseHeader(header!)
  if (sizes !== null && sizes.length === lines.length && sum(sizes, 0) === items && sum(sizes, 1) === bytes) {
    return lines.map((line, i) => ({ line, items: sizes[i]![0], bytes: sizes[i]![1], appendedAt }))
  }
  return [{ line: value.replaceAll('\n', ' '), items, bytes, appendedAt }]
}

function parseHeader (header: string): [number, number][] | null {
  try {
    const sizes: unknown = JSON.parse(header)
    return Array.isArray(sizes) && sizes.every(size => Array.isArray(size) && size.length === 2) ? sizes : null
  } catch {
    return null
  }
}

function sum (sizes: [number, number][], index: 0 | 1): number {
  return sizes.reduce((total, size) => total + size[index], 0)
}
