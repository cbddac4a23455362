import type { UnixMs } from '../../schemas/common.js'
import { isObject } from '../guards.js'
import { ACCESS_LOG_KEYS } from './access-log.js'
import { isGzip } from './gunzip.js'
import { splitObjects } from './json-objects.js'
import { inflateText, notJson, readEnvelope, toUnreadableLine, SubscriptionError, type LogLine, type UnreadableLine } from './subscription.js'

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
/** Records decoded at once. */
const CONCURRENCY = 8

/** Reads the lines of a delivery; a record that cannot be read costs no other. */
export async function readFirehoseDelivery ({ requestId, timestamp, records }: FirehoseDelivery): Promise<FirehoseLines> {
  const read: FirehoseLines = { lines: [], unreadable: [] }
  for (let start = 0; start < records.length; start += CONCURRENCY) {
    const slice = records.slice(start, start + CONCURRENCY)
    const parts = await Promise.all(slice.map((data, index) => readRecord(data, (line = 0) => ({ key: JSON.stringify([requestId, start + index, line]), timestamp }))))
    // one by one: a record may have more lines than a function takes arguments
    for (const { lines, unreadable } of parts) {
      for (const line of lines) read.lines.push(line)
      for (const line of unreadable) read.unreadable.push(line)
    }
  }
  return read
}

async function readRecord (data: unknown, originOf: (line?: number) => LogLine['origin']): Promise<FirehoseLines> {
  if (typeof data !== 'string' || data.length % 4 !== 0 || !BASE64.test(data)) {
    return { lines: [], unreadable: [toUnreadableLine(String(data), 'the record is not base64', originOf())] }
  }
  const bytes = Buffer.from(data, 'base64')
  try {
    return readParts(isGzip(bytes) ? await inflatedParts(bytes) : partsOf(bytes.toString('utf8')), originOf)
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    return { lines: [], unreadable: [toUnreadableLine(data, error.message, originOf())] }
  }
}

/** Firehose joins what it delivers: several gzip members, or objects without a line between them. @throws SubscriptionError */
async function inflatedParts (bytes: Buffer): Promise<string[]> {
  const objects = splitObjects(await inflateText(bytes))
  if (objects === null) throw notJson()
  return objects
}

function partsOf (text: string): string[] {
  return splitObjects(text) ?? text.split(/\r?\n/).filter(line => line.trim() !== '').flatMap(line => splitObjects(line) ?? line)
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
