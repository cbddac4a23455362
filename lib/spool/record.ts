import type { MetricDatum } from '../../schemas/metric.js'
import type { UnixMs } from '../../schemas/common.js'
import { PUT_LOG_EVENTS } from '../../schemas/aws-limits.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { parseLogEvent } from '../items/log-event.js'
import { readMetricTimestamp } from '../items/timestamp.js'
import type { SpoolRecord } from './spool.js'

/**
 * The stored form has versions. A record of any version, also of one to come, is one line that begins with `{"v":` and
 * the number of its version.
 *
 * - Version 1, `{"v":1,"e":[…]}`, holds each item by itself, and names the request that waits for them in `r` and `x`.
 * - Version 2, `{"v":2,"t":…,"b":…}`, holds the body of a request verbatim, and when it was received.
 *
 * Both are written: version 2 for a request whose items are stored as they came, version 1 for all others. Both are
 * read, and so is a body in a record of version 1, which was written before there was a version 2. A record of a later
 * version stays in the spool for a process that knows it.
 */
const ITEMS_VERSION = 1
const VERBATIM_VERSION = 2
const VERSION = /^\{"v":([1-9]\d{0,8})[,}]/

/** The beginning of a record of version 1, up to its items. */
export const ITEMS_HEAD = `{"v":${ITEMS_VERSION},"e":`
/** The beginning of a record of version 2, up to the time when its body was received. */
export const BODY_HEAD = `{"v":${VERBATIM_VERSION},"t":`
/** Stands between this time and the body. */
export const TIME_TO_BODY = ',"b":'

/**
 * Counted bytes after which items go into a new record. Small against a batch, so that whole records fill a batch
 * almost to its limit.
 */
const MAX_RECORD_BYTES = 32_768

/** A body of fewer items is not worth the bytes that it has around them. */
const MIN_VERBATIM_ITEMS = 8
/** Bytes that a timestamp adds to the JSON of a data point that came without. */
const TIMESTAMP_BYTES = ',"Timestamp":1795330800123'.length

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

/** Items, or the body of a request and when it came. */
interface StoredRecord<Item> {
  v: number
  e?: Item[]
  b?: { logEvents: unknown[] } | { params: { MetricData: MetricDatum[] } }
  t?: number
  r?: string
  x?: number[]
}

/** The record cannot be read back; the spool keeps it as a dead letter. */
export class CorruptRecordError extends Error {
  override name = 'CorruptRecordError'
}

/** The record was written by a later version of the gateway; it stays in the spool. */
export class UnknownVersionError extends Error {
  override name = 'UnknownVersionError'
  readonly version: number

  constructor (version: number) {
    super(`stored record has version ${version}, this gateway reads up to version ${VERBATIM_VERSION}`)
    this.version = version
  }
}

/** Bytes that one log event counts against the limit of PutLogEvents. */
export function countLogEvent (event: StoredLogEvent): number {
  return Buffer.byteLength(event[1]) + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES
}

/** Bytes that one data point counts: the bytes of its JSON, which PutMetricData is sent. */
export function countDatum (datum: StoredDatum): number {
  return Buffer.byteLength(JSON.stringify(datum))
}

/** The JSON of a data point, whose bytes it counts. */
export function writeDatum (datum: StoredDatum): string {
  return JSON.stringify(datum)
}

/** Bytes that an item counts against the batch limit of its kind; or its JSON, when the bytes of that count. */
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
    const json = written.length > 0
      ? `[${written.join(',')}]`
      : JSON.stringify(start === 0 && end === items.length ? items : items.slice(start, end))
    const rest = receipt === undefined
      ? ''
      : `,"r":${JSON.stringify(receipt.id)},"x":${JSON.stringify(receipt.indexes.slice(start, end))}`
    records.push({ line: `${ITEMS_HEAD}${json}${rest}}`, items: end - start, bytes })
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
 * Writes the items of a request verbatim, as one record.
 * @param body JSON of a request whose items are all valid, and were not changed
 * @param receivedAt timestamp of items without one
 * @param bytes of all items
 * @returns null when the items are few, or need more than one record, or the body does not fit into a line
 */
function encodeVerbatim (body: string, receivedAt: UnixMs, items: number, bytes: number): SpoolRecord | null {
  if (
    items < MIN_VERBATIM_ITEMS || body.length > MAX_RECORD_BYTES || bytes > MAX_RECORD_BYTES || !body.startsWith('{') ||
    body.includes('\n')
  ) {
    return null
  }
  return { line: `${BODY_HEAD}${receivedAt}${TIME_TO_BODY}${body}}`, items, bytes }
}

/** `encodeVerbatim` of the body that these log events were read from. */
export function encodeVerbatimLogEvents (
  body: string, events: StoredLogEvent[], receivedAt: UnixMs
): SpoolRecord | null {
  return encodeVerbatim(body, receivedAt, events.length, events.reduce((sum, event) => sum + countLogEvent(event), 0))
}

/** `encodeVerbatim` of the body that so many data points were read from; their bytes are an estimate. */
export function encodeVerbatimDatums (body: string, datums: number, receivedAt: UnixMs): SpoolRecord | null {
  return encodeVerbatim(body, receivedAt, datums, Buffer.byteLength(body) + datums * TIMESTAMP_BYTES)
}

/**
 * Reads a record back.
 * @throws UnknownVersionError when its version is a later one
 * @throws CorruptRecordError when the line is truncated, of no version, or does not hold the items it says
 */
export function decodeRecord<Item> (record: SpoolRecord): DecodedRecord<Item> {
  const version = Number(VERSION.exec(record.line)?.[1])
  if (version > VERBATIM_VERSION) throw new UnknownVersionError(version)
  let stored: StoredRecord<Item>
  try {
    stored = JSON.parse(record.line) as StoredRecord<Item>
  } catch (error) {
    throw new CorruptRecordError(`stored record is not JSON: ${(error as Error).message}`)
  }
  if (stored === null || typeof stored !== 'object') throw new CorruptRecordError('stored record is not an object')
  if (stored.v !== ITEMS_VERSION && stored.v !== VERBATIM_VERSION) {
    throw new CorruptRecordError(`stored record has version ${String(stored.v)}, which there is not`)
  }
  const items = stored.v === ITEMS_VERSION && stored.e !== undefined ? stored.e : readBody<Item>(stored)
  if (!Array.isArray(items) || items.length !== record.items) {
    throw new CorruptRecordError('stored record does not hold the items it was stored with')
  }
  return {
    items,
    receipt: typeof stored.r === 'string' ? { id: stored.r, indexes: stored.x ?? [] } : null
  }
}

/** Whether this process can read the record back. */
export function isReadable (record: SpoolRecord): boolean {
  try {
    decodeRecord(record)
    return true
  } catch {
    return false
  }
}

/** Null when it is no body that `encodeVerbatim` has written. */
function readBody<Item> ({ b, t }: StoredRecord<Item>): Item[] | null {
  try {
    if ('logEvents' in b!) return b.logEvents.map((event, index) => parseLogEvent(event, index, t!) as Item)
    const { MetricData } = b!.params
    for (const datum of MetricData) datum.Timestamp = readTimestamp(datum.Timestamp, t!)
    return MetricData as Item[]
  } catch {
    return null
  }
}

function readTimestamp (timestamp: MetricDatum['Timestamp'], receivedAt: UnixMs): UnixMs {
  const read = timestamp === undefined ? receivedAt : readMetricTimestamp(timestamp)
  if (read === null) throw new CorruptRecordError('stored record holds a timestamp that is none')
  return read
}
