import { PUT_LOG_EVENTS } from '../../../schemas/aws-limits.js'
import { logs } from '../aws-error.js'
import { flagOf, integerOf, textOf, type Answer, type Input } from '../input.js'
import { pageLimitOf, requireIdentifiedGroup, requireStream } from './log-names.js'
import { decodePosition, encodePosition, lowerBound, type LogEvent, type LogStore, type Position } from './log-store.js'

export const MAX_PAGE_EVENTS = 10_000
const MAX_PAGE_BYTES = 1_048_576

/** The position before any event, which is the end of an empty stream, too. */
const BEGINNING: Position = { timestamp: 0, sequence: 0 }

/**
 * A token names a gap between two events: the next forward page starts behind it, the next backward page ends before
 * it.
 */
interface Token {
  forward: boolean
  position: Position
}

/** Reads one log stream in either direction; a token never runs out, it is returned again at the end. */
export function createGetLogEvents (store: LogStore) {
  return function getLogEvents (input: Input): Answer {
    const stream = requireStream(requireIdentifiedGroup(store, input), input)
    const limit = pageLimitOf(input, MAX_PAGE_EVENTS)
    const events = stream.events()
    const first = lowerBound(events, { timestamp: integerOf(input, 'startTime') ?? 0, sequence: 0 })
    const last = Math.max(first, lowerBound(events, {
      timestamp: integerOf(input, 'endTime') ?? Infinity,
      sequence: 0
    }))

    const token = readToken(textOf(input, 'nextToken'))
    const forward = token?.forward ?? flagOf(input, 'startFromHead') ?? false
    const gap = token === null
      ? (forward ? first : last)
      : Math.min(Math.max(lowerBound(events, token.position), first), last)
    const [start, end] = forward ? forwardPage(events, gap, last, limit) : backwardPage(events, first, gap, limit)
    const positionOf = (index: number): Position => token !== null && start === end
      ? token.position
      : before(events, index)
    return {
      body: {
        events: events.slice(start, end).map(({ timestamp, message, ingestionTime }) => ({
          timestamp,
          message,
          ingestionTime
        })),
        nextForwardToken: `f/${encodePosition(positionOf(end))}/s`,
        nextBackwardToken: `b/${encodePosition(positionOf(start))}/s`
      }
    }
  }
}

/** The gap before the event at this index, so that an event stored later in it comes after. */
function before (events: readonly LogEvent[], index: number): Position {
  const previous = events[index - 1]
  return previous === undefined ? BEGINNING : { timestamp: previous.timestamp, sequence: previous.sequence + 1 }
}

function readToken (token: string | undefined): Token | null {
  if (token === undefined) return null
  const match = /^([fb])\/(\d+)\/s$/.exec(token)
  const position = match === null ? null : decodePosition(match[2]!)
  if (match === null || position === null) throw logs.invalidParameter('The specified nextToken is invalid.')
  return { forward: match[1] === 'f', position }
}

function sizeOf (event: LogEvent): number {
  return Buffer.byteLength(event.message) + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES
}

function forwardPage (events: readonly LogEvent[], start: number, last: number, limit: number): [number, number] {
  let end = start
  for (let bytes = 0; end < last && end - start < limit; end++) {
    bytes += sizeOf(events[end]!)
    if (bytes > MAX_PAGE_BYTES && end > start) break
  }
  return [start, end]
}

function backwardPage (events: readonly LogEvent[], first: number, end: number, limit: number): [number, number] {
  let start = end
  for (let bytes = 0; start > first && end - start < limit; start--) {
    bytes += sizeOf(events[start - 1]!)
    if (bytes > MAX_PAGE_BYTES && start < end) break
  }
  return [start, end]
}
