import { PUT_LOG_EVENTS as LIMIT } from '../../schemas/aws-limits.js'
import type { StoredLogEvent } from './item.js'
import { InvalidItem } from './item-error.js'
import { isObject, unknownField } from '../guards.js'
import { daysOrHours, readLogTimestamp } from './timestamp.js'

const EVENT_FIELDS = new Set(['message', 'timestamp'])
/** No UTF-16 code unit takes more bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3

function readTimestamp (value: unknown, index: number, now: number): number {
  if (value === undefined) return now
  const timestamp = readLogTimestamp(value)
  if (timestamp === null) throw new InvalidItem('invalid-timestamp', `logEvents[${index}].timestamp must be Unix milliseconds, as a whole number or a string of digits.`)
  if (timestamp < now - LIMIT.MAX_AGE_MS) throw new InvalidItem('too-old', `logEvents[${index}].timestamp must not be more than ${daysOrHours(LIMIT.MAX_AGE_MS)} in the past.`)
  if (timestamp > now + LIMIT.MAX_FUTURE_MS) throw new InvalidItem('too-new', `logEvents[${index}].timestamp must not be more than ${daysOrHours(LIMIT.MAX_FUTURE_MS)} in the future.`)
  return timestamp
}

function isTooLarge (message: string): boolean {
  return message.length * MAX_BYTES_PER_UNIT > LIMIT.MAX_EVENT_BYTES && Buffer.byteLength(message) > LIMIT.MAX_EVENT_BYTES
}

function tooLarge (path: string): InvalidItem {
  return new InvalidItem('too-large', `${path} must have at most ${LIMIT.MAX_EVENT_BYTES} bytes in UTF-8.`)
}

/** @throws Refusal too-large */
export function checkMessageSize (message: string, path: string): void {
  if (isTooLarge(message)) throw tooLarge(path)
}

/**
 * Checks one entry of logEvents against every rule of PutLogEvents. Half surrogates are replaced by U+FFFD, as UTF-8
 * cannot hold them.
 * @param now Unix milliseconds
 * @throws Refusal
 */
export function readLogEvent (event: unknown, index: number, now: number): StoredLogEvent {
  if (!isObject(event)) throw new InvalidItem('invalid-item', `logEvents[${index}] must be an object.`)
  const unknown = unknownField(event, EVENT_FIELDS)
  if (unknown !== undefined) throw new InvalidItem('invalid-item', `logEvents[${index}] has the unknown field "${unknown}".`)
  const { message, timestamp } = event
  if (typeof message !== 'string') throw new InvalidItem('invalid-item', `logEvents[${index}].message must be a string.`)
  if (message.length === 0) throw new InvalidItem('invalid-item', `logEvents[${index}].message must not be empty.`)
  if (isTooLarge(message)) throw tooLarge(`logEvents[${index}].message`)
  return [readTimestamp(timestamp, index, now), message.toWellFormed()]
}
