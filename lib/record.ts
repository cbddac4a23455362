import type { MetricDatum } from '../schemas/metric.js'
import { PUT_LOG_EVENTS } from './limits.js'
import type { SpoolRecord } from './spool/spool.js'

/** Version of the stored form; a record of another version is not read but dead-lettered. */
const VERSION = 1

/**
 * Counted bytes after which items go into a new record. Small against a batch, so that whole records fill a batch
 * almost to its limit.
 */
const MAX_RECORD_BYTES = 32_768

/** `[timestamp in Unix milliseconds, message]` */
export type StoredLogEvent = [number, string]
/** Timestamp in Unix milliseconds, always set. */
export type StoredDatum = Omit<MetricDatum, 'Timestamp'> & { Timestamp: number }

/** Somebody waits for the delivery of these items. */
export interface ReceiptRef {
  id: string
  /** Of each item of the record, its index in the request. */
  indexes: number[]
}

export interface DecodedRecord<Item> {
  items: Item[]
  receipt: ReceiptRef | null
}

interface StoredRecord<Item> {
  v: number
  e: Item[]
  r?: string
  x?: number[]
}

/** The record cannot be read back; the spool keeps it as a dead letter. */
export class CorruptRecordError extends Error {
  override name = 'CorruptRecordError'
}

/** Bytes that one log event counts against the limit of PutLogEvents. */
export function countLogEvent (event: StoredLogEvent): number {
  return Buffer.byteLength(event[1]) + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES
}

/** Bytes that one datum counts: those of its JSON, which is what PutMetricData is sent. */
export function countDatum (datum: StoredDatum): number {
  return Buffer.byteLength(JSON.stringify(datum))
}

/** The JSON of a datum, which is what it counts. */
export function writeDatum (datum: StoredDatum): string {
  return JSON.stringify(datum)
}

/** Bytes that an item counts against the batch limit of its kind; or its JSON, when that is what counts. */
export type Measure<Item> = (item: Item) => number | string

/**
 * Writes items as records of about MAX_RECORD_BYTES each.
 * @param receipt when given, its indexes are those of the items, in the same order
 */
export function encodeRecords<Item> (items: Item[], measure: Measure<Item>, receipt?: ReceiptRef): SpoolRecord[] {
  const records: SpoolRecord[] = []
  let start = 0
  let bytes = 0
  let written: string[] = []
  const push = (end: number): void => {
    const json = written.length > 0 ? `[${written.join(',')}]` : JSON.stringify(start === 0 && end === items.length ? items : items.slice(start, end))
    const rest = receipt === undefined ? '' : `,"r":${JSON.stringify(receipt.id)},"x":${JSON.stringify(receipt.indexes.slice(start, end))}`
    records.push({ line: `{"v":${VERSION},"e":${json}${rest}}`, items: end - start, bytes })
    start = end
    bytes = 0
    written = []
  }
  for (let i = 0; i < items.length; i++) {
    const measured = measure(items[i]!)
    const size = typeof measured === 'string' ? Buffer.byteLength(measured) : measured
    if (bytes > 0 && bytes + size > MAX_RECORD_BYTES) push(i)
    if (typeof measured === 'string') written.push(measured)
    bytes += size
  }
  if (start < items.length) push(items.length)
  return records
}

/**
 * Reads a record back.
 * @throws CorruptRecordError when the line is truncated, of another version, or does not hold the items it says
 */
export function decodeRecord<Item> (record: SpoolRecord): DecodedRecord<Item> {
  let stored: StoredRecord<Item>
  try {
    stored = JSON.parse(record.line) as StoredRecord<Item>
  } catch (error) {
    throw new CorruptRecordError(`stored record is not JSON: ${(error as Error).message}`)
  }
  if (stored === null || typeof stored !== 'object') throw new CorruptRecordError('stored record is not an object')
  if (stored.v !== VERSION) throw new CorruptRecordError(`stored record has version ${String(stored.v)}, this build reads version ${VERSION}`)
  if (!Array.isArray(stored.e) || stored.e.length !== record.items) throw new CorruptRecordError('stored record does not hold the items it was stored with')
  return {
    items: stored.e,
    receipt: typeof stored.r === 'string' ? { id: stored.r, indexes: stored.x ?? [] } : null
  }
}
