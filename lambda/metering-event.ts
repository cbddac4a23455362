import type { MeteredCall } from '../lib/metering/metered-call.js'
import type { CallFilter, SkipReason } from '../lib/metering/call-filter.js'
import { readCalls } from '../lib/metering/read-calls.js'
import {
  decodeSubscription, SubscriptionError, type LogLine, type UnreadableLine
} from '../lib/metering/subscription.js'
import { isObject } from '../lib/guards.js'
import type { ParkedMessage } from './parking.js'

/** The calls and lines of one event, or of one message of a queue. */
export interface EventContent {
  calls: MeteredCall[]
  /** How often the calls were parked before. */
  attempt: number
  duplicates: number
  skipped: Partial<Record<SkipReason, number>>
  unreadable: UnreadableLine[]
  /** A payload that cannot be read as a whole, and why. */
  undecodable: { data: string, message: string } | null
}

/** SQS takes 262,144 bytes; a payload that is larger is kept in its log group alone. */
const MAX_BASE64_CHARACTERS = 200_000
/** As JSON, a character that is not of base64 may have six. */
const MAX_TEXT_CHARACTERS = MAX_BASE64_CHARACTERS / 8
const OF_BASE64 = /^[A-Za-z0-9+/=]*$/

/** The event is of no kind that this function knows. */
export class UnknownEventError extends Error {
  override name = 'UnknownEventError'
}

const NOTHING: EventContent = { calls: [], attempt: 0, duplicates: 0, skipped: {}, unreadable: [], undecodable: null }

/**
 * Reads the event of a subscription.
 * @param ownLogGroup of this function: its own log events must not make it log
 */
export async function readSubscriptionEvent (
  event: { awslogs: unknown }, filter: CallFilter, ownLogGroup: string
): Promise<EventContent> {
  const data = isObject(event.awslogs) ? event.awslogs.data : undefined
  try {
    const subscription = await decodeSubscription(data)
    if (subscription.kind === 'probe' || subscription.logGroup === ownLogGroup) return NOTHING
    return readLines(subscription.lines, filter, subscription.unreadable)
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    const text = typeof data === 'string' ? data : JSON.stringify(event)
    return {
      ...NOTHING,
      undecodable: {
        data: text.slice(0, OF_BASE64.test(text) ? MAX_BASE64_CHARACTERS : MAX_TEXT_CHARACTERS), message: error.message
      }
    }
  }
}

/**
 * Reads a message of one of the queues: one of this function's own, or the one that Lambda writes there when an event
 * has failed.
 * @throws UnknownEventError
 */
export async function readQueueMessage (body: string, filter: CallFilter, ownLogGroup: string): Promise<EventContent> {
  const message = parse(body)
  if (message.v === 1) {
    const { calls, lines, awslogs, attempt = 0 } = message as unknown as ParkedMessage
    if (Array.isArray(calls)) return { ...NOTHING, calls, attempt }
    if (Array.isArray(lines)) return readLines(lines, filter)
    if (awslogs !== undefined) return await readSubscriptionEvent({ awslogs }, filter, ownLogGroup)
  }
  const { requestPayload } = message
  if (isObject(requestPayload) && 'awslogs' in requestPayload) {
    return await readSubscriptionEvent({ awslogs: requestPayload.awslogs }, filter, ownLogGroup)
  }
  throw new UnknownEventError('the message holds neither calls, nor lines, nor an event of CloudWatch Logs')
}

function readLines (lines: LogLine[], filter: CallFilter, unreadable: UnreadableLine[] = []): EventContent {
  const read = readCalls(lines, filter)
  return {
    ...NOTHING,
    calls: read.calls,
    duplicates: read.duplicates,
    skipped: read.skipped,
    unreadable: [...unreadable, ...read.unreadable]
  }
}

function parse (body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    if (isObject(value)) return value
  } catch {}
  throw new UnknownEventError('the message is not a JSON object')
}
