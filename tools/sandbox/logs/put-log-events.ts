import { PUT_LOG_EVENTS } from '../../../schemas/aws-limits.js'
import { DAY_MS } from '../../../schemas/common.js'
import { logs, serializationError } from '../aws-error.js'
import { listOf, type Answer, type Input } from '../input.js'
import { requireGroup, requireStream } from './log-names.js'
import type { InputLogEvent, LogStore } from './log-store.js'
import type { Subscriptions } from './subscriptions.js'

const MAX_COUNTED_EVENT_BYTES = PUT_LOG_EVENTS.MAX_EVENT_BYTES + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES

interface Verdict {
  /** Events before this index are older than 14 days. */
  tooOldEnd: number
  /** Events before this index are older than the retention of the group. */
  expiredEnd: number
  /** Events from this index on are too far in the future. */
  tooNewStart: number
}

/** Stores the events of a batch that are neither too old, nor expired, nor too new, or refuses the batch. */
export function createPutLogEvents (
  store: LogStore, options: { now: () => number, keepItems: boolean, subscriptions: Subscriptions }
) {
  return function putLogEvents (input: Input): Answer {
    const { events, bytes } = readBatch(listOf(input, 'logEvents'))
    const group = requireGroup(store, input)
    const stream = requireStream(group, input)

    const now = options.now()
    const verdict = judge(events, now, group.retentionInDays)
    const validStart = Math.max(verdict.tooOldEnd, verdict.expiredEnd)
    requireShortSpan(events, validStart, verdict.tooNewStart)
    const valid = validStart === 0 && verdict.tooNewStart === events.length
      ? events
      : events.slice(validStart, verdict.tooNewStart)
    const firstSequence = store.takeSequence(valid.length)
    if (valid.length > 0) {
      stream.append(valid, now, firstSequence, options.keepItems)
      options.subscriptions.deliver(group, stream.name, valid, firstSequence)
      group.storedBytes += valid === events ? bytes : valid.reduce((sum, event) => sum + countBytes(event), 0)
    }
    return {
      body: {
        nextSequenceToken: String(firstSequence + valid.length).padStart(56, '0'),
        ...rejectedInfo(verdict, events.length)
      },
      delivered: {
        items: events.length,
        stored: valid.length,
        bytes,
        fill: Math.max(events.length / PUT_LOG_EVENTS.MAX_EVENTS, bytes / PUT_LOG_EVENTS.MAX_BYTES),
        rejected: {
          'too-old': verdict.tooOldEnd,
          expired: validStart - verdict.tooOldEnd,
          'too-new': events.length - verdict.tooNewStart
        }
      }
    }
  }
}

/** Checks the rules that need no clock and no log group, in one pass, and counts the bytes of the batch. */
function readBatch (events: unknown[] | undefined): { events: InputLogEvent[], bytes: number } {
  if (events === undefined) throw logs.constraint(null, 'logEvents', 'Member must not be null')
  if (events.length < 1) throw logs.constraint('[]', 'logEvents', 'Member must have length greater than or equal to 1')
  if (events.length > PUT_LOG_EVENTS.MAX_EVENTS) {
    throw logs.constraint(
      `[${events.length} events]`, 'logEvents',
      `Member must have length less than or equal to ${PUT_LOG_EVENTS.MAX_EVENTS}`
    )
  }
  let bytes = 0
  let previous = -Infinity
  let ordered = true
  for (let i = 0; i < events.length; i++) {
    const event = requireEvent(events[i], i)
    const size = countBytes(event)
    if (size > MAX_COUNTED_EVENT_BYTES) {
      throw logs.invalidParameter(`Log event too large: ${size} bytes exceeds limit of ${MAX_COUNTED_EVENT_BYTES}`)
    }
    bytes += size
    if (event.timestamp < previous) ordered = false
    previous = event.timestamp
  }
  if (bytes > PUT_LOG_EVENTS.MAX_BYTES) {
    throw logs.invalidParameter(`Upload too large: ${bytes} bytes exceeds limit of ${PUT_LOG_EVENTS.MAX_BYTES}`)
  }
  if (!ordered) {
    throw logs.invalidParameter('Log events in a single PutLogEvents request must be in chronological order.')
  }
  return { events: events as InputLogEvent[], bytes }
}

function requireEvent (event: unknown, index: number): InputLogEvent {
  const path = `logEvents.${index + 1}.member`
  const { timestamp, message } = (event ?? {}) as Partial<InputLogEvent>
  if (typeof timestamp !== 'number' || typeof message !== 'string') {
    if (timestamp === undefined || timestamp === null) {
      throw logs.constraint(null, `${path}.timestamp`, 'Member must not be null')
    }
    if (message === undefined || message === null) {
      throw logs.constraint(null, `${path}.message`, 'Member must not be null')
    }
    throw serializationError(
      `${typeof timestamp !== 'number' ? 'timestamp' : 'message'} of event ${index + 1} has the wrong type`
    )
  }
  if (!Number.isInteger(timestamp)) {
    throw serializationError(`timestamp of event ${index + 1} can not be converted to a Long`)
  }
  if (timestamp < 0) {
    throw logs.constraint(timestamp, `${path}.timestamp`, 'Member must have value greater than or equal to 0')
  }
  if (message.length < 1) {
    throw logs.constraint(message, `${path}.message`, 'Member must have length greater than or equal to 1')
  }
  return event as InputLogEvent
}

function countBytes ({ message }: InputLogEvent): number {
  return Buffer.byteLength(message) + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES
}

/** Index of the first event that is not older than `oldest`. */
function firstSince (events: InputLogEvent[], oldest: number): number {
  let index = 0
  while (index < events.length && events[index]!.timestamp < oldest) index++
  return index
}

function judge (events: InputLogEvent[], now: number, retentionInDays: number | undefined): Verdict {
  let tooNewStart = events.length
  while (tooNewStart > 0 && events[tooNewStart - 1]!.timestamp > now + PUT_LOG_EVENTS.MAX_FUTURE_MS) tooNewStart--
  return {
    tooOldEnd: firstSince(events, now - PUT_LOG_EVENTS.MAX_AGE_MS),
    expiredEnd: retentionInDays === undefined ? 0 : firstSince(events, now - retentionInDays * DAY_MS),
    tooNewStart
  }
}

function requireShortSpan (events: InputLogEvent[], start: number, end: number): void {
  if (end > start && events[end - 1]!.timestamp - events[start]!.timestamp > PUT_LOG_EVENTS.MAX_SPAN_MS) {
    throw logs.invalidParameter(
      'The batch of log events in a single PutLogEvents request cannot span more than 24 hours.'
    )
  }
}

function rejectedInfo (verdict: Verdict, length: number): object {
  const info = {
    ...(verdict.tooOldEnd > 0 && { tooOldLogEventEndIndex: verdict.tooOldEnd }),
    ...(verdict.expiredEnd > 0 && { expiredLogEventEndIndex: verdict.expiredEnd }),
    ...(verdict.tooNewStart < length && { tooNewLogEventStartIndex: verdict.tooNewStart })
  }
  return Object.keys(info).length > 0 ? { rejectedLogEventsInfo: info } : {}
}
