import { PUT_LOG_EVENTS as LIMIT } from '../../schemas/aws-limits.js'
import type { UnixMs } from '../../schemas/common.js'
import type { StoredLogEvent } from './item.js'
import { InvalidItem } from './item-error.js'
import { isObject, unknownField } from '../guards.js'
import { daysOrHours, readLogTimestamp } from './timestamp.js'

const EVENT_FIELDS = new Set(['message', 'timestamp'])
/** No UTF-16 code unit takes more bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3

function readTimestamp (value: unknown, index: number, receivedAt: UnixMs): UnixMs {
  if (value === undefined) return receivedAt
  const timestamp = readLogTimestamp(value)
  if (timestamp === null) {
    throw new InvalidItem(
      'invalid-timestamp', `logEvents[${index}].timestamp must be Unix milliseconds, as a number or a string of digits.`
    )
  }
  return timestamp
}

function checkAge (timestamp: UnixMs, index: number, now: UnixMs): void {
  if (timestamp < now - LIMIT.MAX_AGE_MS) {
    throw new InvalidItem(
      'too-old', `logEvents[${index}].timestamp must not be more than ${daysOrHours(LIMIT.MAX_AGE_MS)} in the past.`
    )
  }
  if (timestamp > now + LIMIT.MAX_FUTURE_MS) {
    throw new InvalidItem(
      'too-new',
      `logEvents[${index}].timestamp must not be more than ${daysOrHours(LIMIT.MAX_FUTURE_MS)} in the future.`
    )
  }
}

function isTooLarge (message: string): boolean {
  return message.length * MAX_BYTES_PER_UNIT > LIMIT.MAX_EVENT_BYTES &&
    Buffer.byteLength(message) > LIMIT.MAX_EVENT_BYTES
}

function tooLarge (path: string): InvalidItem {
  return new InvalidItem('too-large', `${path} must have at most ${LIMIT.MAX_EVENT_BYTES} bytes in UTF-8.`)
}

/** @throws InvalidItem too-large */
export function checkMessageSize (message: string, path: string): void {
  if (isTooLarge(message)) throw tooLarge(path)
}

/**
 * Reads one entry of logEvents, and checks it against every rule of PutLogEvents but those of its age. Half surrogates
 * are replaced by U+FFFD, as UTF-8 cannot hold them.
 * @param receivedAt the timestamp of an entry without one
 * @throws InvalidItem
 */
export function parseLogEvent (event: unknown, index: number, receivedAt: UnixMs): StoredLogEvent {
  if (!isObject(event)) throw new InvalidItem('invalid-item', `logEvents[${index}] must be an object.`)
  const unknown = unknownField(event, EVENT_FIELDS)
  if (unknown !== undefined) {
    throw new InvalidItem('invalid-item', `logEvents[${index}] has the unknown field "${unknown}".`)
  }
  const { message, timestamp } = event
  if (typeof message !== 'string') {
    throw new InvalidItem('invalid-item', `logEvents[${index}].message must be a string.`)
  }
  if (message.length === 0) throw new InvalidItem('invalid-item', `logEvents[${index}].message must not be empty.`)
  if (isTooLarge(message)) throw tooLarge(`logEvents[${index}].message`)
  return [readTimestamp(timestamp, index, receivedAt), message.toWellFormed()]
}

/**
 * `parseLogEvent`, and the rules of its age.
 * @throws InvalidItem
 */
export function readLogEvent (event: unknown, index: number, now: UnixMs): StoredLogEvent {
  const read = parseLogEvent(event, index, now)
  checkAge(read[0], index, now)
  return read
}
