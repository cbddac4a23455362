import { isObject } from '../guards.js'
import type { LineOrigin } from './metered-call.js'
import { gunzipCapped, GunzipError, type GunzipFault } from './gunzip.js'

/** One line of a log, and where it was found. */
export interface LogLine {
  text: string
  origin: LineOrigin
}

/** A log event without a message, or a line that cannot be read. */
export interface UnreadableLine {
  /** Its first MAX_UNREADABLE_CHARACTERS characters. */
  line: string
  /** Why, in words an operator can act on. */
  message: string
  origin: LineOrigin
}

export type Subscription =
  /** CloudWatch Logs checks whether its destination answers. */
  | { kind: 'probe' }
  | {
    kind: 'lines'
    logGroup: string
    logStream: string
    lines: LogLine[]
    /** Log events without a message; the other lines are whole. */
    unreadable: UnreadableLine[]
  }

export type SubscriptionFault = 'not-base64' | GunzipFault | 'not-json' | 'wrong-shape'

/** The payload as a whole cannot be read, however often it is delivered. */
export class SubscriptionError extends Error {
  override name = 'SubscriptionError'

  constructor (readonly fault: SubscriptionFault, message: string) {
    super(message)
  }
}

/**
 * Lines of one payload. CloudWatch Logs sends some thousands; each line is kept by itself, also one that says nothing.
 */
export const MAX_LINES = 500_000

/** Characters of an unreadable line that are stored: enough to find it in its log. */
const MAX_UNREADABLE_CHARACTERS = 8_192

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * Decodes the `awslogs.data` of a subscription's event.
 * @throws SubscriptionError
 */
export async function decodeSubscription (data: unknown): Promise<Subscription> {
  if (typeof data !== 'string' || data.length % 4 !== 0 || !BASE64.test(data)) {
    throw new SubscriptionError('not-base64', 'awslogs.data is not base64')
  }
  return await decodeEnvelope(Buffer.from(data, 'base64'))
}

/**
 * Decodes the gzip bytes of one envelope, as Firehose carries it, too.
 * @throws SubscriptionError
 */
export async function decodeEnvelope (bytes: Buffer): Promise<Subscription> {
  const text = await inflateText(bytes)
  try {
    return readEnvelope(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) throw notJson()
    throw error
  }
}

/** @throws SubscriptionError */
export async function inflateText (bytes: Buffer): Promise<string> {
  try {
    return (await gunzipCapped(bytes)).toString('utf8')
  } catch (error) {
    if (error instanceof GunzipError) throw new SubscriptionError(error.fault, error.message)
    throw error
  }
}

export function notJson (): SubscriptionError {
  return new SubscriptionError('not-json', 'the payload is not JSON')
}

/** @throws SubscriptionError */
export function readEnvelope (envelope: unknown): Subscription {
  if (!isObject(envelope)) throw wrongShape('an object')
  const { messageType, owner, logGroup, logStream, logEvents } = envelope
  if (messageType === 'CONTROL_MESSAGE') return { kind: 'probe' }
  if (messageType !== 'DATA_MESSAGE') throw wrongShape('of type DATA_MESSAGE or CONTROL_MESSAGE')
  if (typeof owner !== 'string' || typeof logGroup !== 'string' || typeof logStream !== 'string') {
    throw wrongShape('with owner, logGroup and logStream')
  }
  if (!Array.isArray(logEvents)) throw wrongShape('with logEvents')
  if (logEvents.length > MAX_LINES) {
    throw new SubscriptionError('too-large', `the payload has more than ${MAX_LINES} log events`)
  }
  return { kind: 'lines', logGroup, logStream, ...readEvents(logEvents, [owner, logGroup, logStream]) }
}

function readEvents (logEvents: unknown[], source: string[]): { lines: LogLine[], unreadable: UnreadableLine[] } {
  const lines: LogLine[] = []
  const unreadable: UnreadableLine[] = []
  logEvents.forEach((event, index) => {
    const { id, timestamp, message } = isObject(event) ? event : {}
    const origin = {
      key: JSON.stringify([...source, typeof id === 'string' ? id : index]),
      timestamp: Number.isSafeInteger(timestamp) ? timestamp as number : 0
    }
    if (typeof id === 'string' && typeof message === 'string') lines.push({ text: message, origin })
    else unreadable.push(toUnreadableLine(JSON.stringify(event) ?? '', 'the log event has no id or no message', origin))
  })
  return { lines, unreadable }
}

export function toUnreadableLine (line: string, message: string, origin: LineOrigin): UnreadableLine {
  return { line: line.slice(0, MAX_UNREADABLE_CHARACTERS), message, origin }
}

function wrongShape (shape: string): SubscriptionError {
  return new SubscriptionError('wrong-shape', `the payload is not an envelope of CloudWatch Logs: it must be ${shape}`)
}
