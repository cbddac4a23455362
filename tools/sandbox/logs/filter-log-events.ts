import { logs } from '../aws-error.js'
import { decodeToken, encodeToken, flagOf, integerOf, textOf, textsOf, type Answer, type Input } from '../input.js'
import { compileFilterPattern } from './filter-pattern.js'
import { MAX_PAGE_EVENTS } from './get-log-events.js'
import { pageLimitOf, requireIdentifiedGroup } from './log-names.js'
import {
  compare, encodePosition, lowerBound, type LogEvent, type LogGroup, type LogStore, type LogStream, type Position
} from './log-store.js'

interface Cursor extends Position {
  ascending: boolean
}

interface Found {
  stream: LogStream
  event: LogEvent
}

/** Searches the streams of one log group, all of them as one sequence in time. */
export function createFilterLogEvents (store: LogStore) {
  return function filterLogEvents (input: Input): Answer {
    const group = requireIdentifiedGroup(store, input)
    const streams = selectStreams(group, input)
    const limit = pageLimitOf(input, MAX_PAGE_EVENTS)
    const matches = compileFilterPattern(textOf(input, 'filterPattern') ?? '')
    const cursor = readCursor(textOf(input, 'nextToken'))
    const ascending = cursor?.ascending ?? flagOf(input, 'startFromHead') ?? true
    const range = { start: integerOf(input, 'startTime') ?? 0, end: integerOf(input, 'endTime') ?? Infinity }

    const found = streams
      .flatMap(stream => search(stream, range, cursor, ascending, matches, limit + 1))
      .sort((a, b) => ascending ? compare(a.event, b.event) : compare(b.event, a.event))
    const page = found.slice(0, limit)
    return {
      body: {
        events: page.map(({ stream, event }) => ({
          logStreamName: stream.name,
          timestamp: event.timestamp,
          message: event.message,
          ingestionTime: event.ingestionTime,
          eventId: encodePosition(event)
        })),
        searchedLogStreams: [],
        nextToken: found.length > limit ? tokenAfter(page[page.length - 1]!.event, ascending) : undefined
      }
    }
  }
}

function selectStreams (group: LogGroup, input: Input): LogStream[] {
  const names = textsOf(input, 'logStreamNames')
  const prefix = textOf(input, 'logStreamNamePrefix')
  if (names === undefined) return [...group.streams.values()].filter(({ name }) => name.startsWith(prefix ?? ''))
  if (prefix !== undefined) {
    throw logs.invalidParameter('logStreamNames and logStreamNamePrefix are mutually exclusive parameters.')
  }
  return [...new Set(names)].map(name => {
    const stream = group.streams.get(name)
    if (stream === undefined) throw logs.noStream()
    return stream
  })
}

/**
 * The first `limit` matches of one stream in the given direction, from the cursor on. The end of the range is
 * inclusive.
 */
function search (
  stream: LogStream, range: { start: number, end: number }, cursor: Cursor | null, ascending: boolean,
  matches: (message: string) => boolean, limit: number
): Found[] {
  const events = stream.events()
  let first = lowerBound(events, { timestamp: range.start, sequence: 0 })
  let last = lowerBound(events, { timestamp: range.end, sequence: Infinity })
  if (cursor !== null && ascending) {
    first = Math.max(first, lowerBound(events, { ...cursor, sequence: cursor.sequence + 1 }))
  }
  if (cursor !== null && !ascending) last = Math.min(last, lowerBound(events, cursor))
  const found: Found[] = []
  const step = ascending ? 1 : -1
  for (let i = ascending ? first : last - 1; i >= first && i < last && found.length < limit; i += step) {
    const event = events[i]!
    if (matches(event.message)) found.push({ stream, event })
  }
  return found
}

function tokenAfter ({ timestamp, sequence }: LogEvent, ascending: boolean): string {
  return encodeToken({ timestamp, sequence, ascending })
}

function readCursor (token: string | undefined): Cursor | null {
  if (token === undefined) return null
  const content = decodeToken(token)
  if (!Number.isInteger(content?.timestamp) || !Number.isInteger(content?.sequence) ||
    typeof content?.ascending !== 'boolean') {
    throw logs.invalidParameter('The specified nextToken is invalid.')
  }
  return content as unknown as Cursor
}
