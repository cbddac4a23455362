import type { UnixMs } from '../../schemas/common.js'
import { isGzip } from './gunzip.js'
import { decodeEnvelope, toUnreadableLine, SubscriptionError, type LogLine, type UnreadableLine } from './subscription.js'

/** One request of Firehose; its id is the same when it is tried again. */
export interface FirehoseDelivery {
  requestId: string
  timestamp: UnixMs
  /** `records[].data`: base64 of lines of an access log, or of a gzip envelope of CloudWatch Logs. */
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
  if (!isGzip(bytes)) return { lines: splitLines(bytes.toString('utf8')).map((text, line) => ({ text, origin: originOf(line) })), unreadable: [] }
  try {
    const subscription = await decodeEnvelope(bytes)
    return subscription.kind === 'probe' ? { lines: [], unreadable: [] } : subscription
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    return { lines: [], unreadable: [toUnreadableLine(data, error.message, originOf())] }
  }
}

function splitLines (text: string): string[] {
  return text.split(/\r?\n/).filter(line => line.trim() !== '')
}
