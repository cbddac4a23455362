import type { UnixMs } from '../../schemas/common.js'
import { isObject } from '../guards.js'
import { ACCESS_LOG_KEYS } from './access-log.js'
import { isGzip } from './gunzip.js'
import { splitObjects } from './json-objects.js'
import {
  inflateText, notJson, readEnvelope, toUnreadableLine, MAX_LINES, SubscriptionError, type LogLine, type UnreadableLine
} from './subscription.js'

/** One request of Firehose; its id is the same when it is tried again. */
export interface FirehoseDelivery {
  requestId: string
  timestamp: UnixMs
  /** `records[].data`: base64 of lines of an access log, or of envelopes of CloudWatch Logs, gzip or not. */
  records: unknown[]
}

export interface FirehoseLines {
  lines: LogLine[]
  unreadable: UnreadableLine[]
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
/** Bytes of all records of one delivery after decompression. */
const MAX_DELIVERY_BYTES = 64 * 1_048_576
/** Ends of lines and objects in all records of one delivery, those inside of strings included. */
const MAX_ENDS = 1_000_000
const NEWLINE = 0x0a
const CLOSING_BRACE = 0x7d

/** The delivery holds more than is read at once, and has to come in smaller ones. */
export class DeliveryTooLargeError extends Error {
  override name = 'DeliveryTooLargeError'
}

/** Bounds the bytes and lines of one delivery over all of its records. */
class DeliveryBudget {
  #bytes = MAX_DELIVERY_BYTES
  #ends = MAX_ENDS
  #lines = MAX_LINES

  /** @throws DeliveryTooLargeError */
  takeText (text: string): void {
    this.#bytes -= text.length
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === NEWLINE || code === CLOSING_BRACE) this.#ends--
    }
    if (this.#bytes < 0) throw tooLarge(`${MAX_DELIVERY_BYTES} bytes after decompression`)
    if (this.#ends < 0) throw tooLarge(`${MAX_ENDS} lines and objects`)
  }

  /** @throws DeliveryTooLargeError */
  takeLines (lines: number): void {
    this.#lines -= lines
    if (this.#lines < 0) throw tooLarge(`${MAX_LINES} lines`)
  }
}

function tooLarge (limit: string): DeliveryTooLargeError {
  return new DeliveryTooLargeError(`The records have more than ${limit}: set a smaller buffer size for the stream.`)
}

/**
 * Reads the lines of a delivery; a record that cannot be read costs no other.
 * @throws DeliveryTooLargeError
 */
export async function readFirehoseDelivery ({
  requestId, timestamp, records
}: FirehoseDelivery): Promise<FirehoseLines> {
  const read: FirehoseLines = { lines: [], unreadable: [] }
  const budget = new DeliveryBudget()
  // One record after the other, as each may take what is left.
  for (const [index, data] of records.entries()) {
    const { lines, unreadable } = await readRecord(
      data, (line = 0) => ({ key: JSON.stringify([requestId, index, line]), timestamp }), budget
    )
    budget.takeLines(lines.length + unreadable.length)
    // one by one: a record may have more lines than a function takes arguments
    for (const line of lines) read.lines.push(line)
    for (const line of unreadable) read.unreadable.push(line)
  }
  return read
}

async function readRecord (
  data: unknown, originOf: (line?: number) => LogLine['origin'], budget: DeliveryBudget
): Promise<FirehoseLines> {
  if (typeof data !== 'string' || data.length % 4 !== 0 || !BASE64.test(data)) {
    return { lines: [], unreadable: [toUnreadableLine(String(data), 'the record is not base64', originOf())] }
  }
  const bytes = Buffer.from(data, 'base64')
  try {
    return readParts(
      isGzip(bytes) ? await inflatedParts(bytes, budget) : partsOf(bytes.toString('utf8'), budget), originOf
    )
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    return { lines: [], unreadable: [toUnreadableLine(data, error.message, originOf())] }
  }
}

/**
 * Firehose joins what it delivers: several gzip members, or objects without a line between them.
 * @throws SubscriptionError
 */
async function inflatedParts (bytes: Buffer, budget: DeliveryBudget): Promise<string[]> {
  const text = await inflateText(bytes)
  budget.takeText(text)
  const objects = splitObjects(text)
  if (objects === null) throw notJson()
  return objects
}

function partsOf (text: string, budget: DeliveryBudget): string[] {
  budget.takeText(text)
  return splitObjects(text) ??
    text.split(/\r?\n/).filter(line => line.trim() !== '').flatMap(line => splitObjects(line) ?? line)
}

/** Lines of an access log, and envelopes of CloudWatch Logs that Firehose has decompressed. */
function readParts (parts: string[], originOf: (line: number) => LogLine['origin']): FirehoseLines {
  const read: FirehoseLines = { lines: [], unreadable: [] }
  parts.forEach((text, index) => {
    const envelope = toEnvelope(text)
    if (envelope === null) {
      read.lines.push({ text, origin: originOf(index) })
      return
    }
    const { lines, unreadable } = readOne(envelope, text, originOf(index))
    for (const line of lines) read.lines.push(line)
    for (const line of unreadable) read.unreadable.push(line)
  })
  return read
}

function readOne (envelope: object, text: string, origin: LogLine['origin']): FirehoseLines {
  try {
    const subscription = readEnvelope(envelope)
    return subscription.kind === 'probe' ? { lines: [], unreadable: [] } : subscription
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    return { lines: [], unreadable: [toUnreadableLine(text, error.message, origin)] }
  }
}

/** Null for a line of an access log, whatever keys its caller has written into it. */
function toEnvelope (text: string): object | null {
  if (!text.includes('"messageType"')) return null
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && 'messageType' in value && !ACCESS_LOG_KEYS.some(key => key in value) ? value : null
  } catch {
    return null
  }
}
