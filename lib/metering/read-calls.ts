import { UnreadableLineError } from './access-log.js'
import { mayHoldSeveralObjects, splitObjects } from './json-objects.js'
import { MAX_LINE_LENGTH, readCall, type MeteredCall } from './metered-call.js'
import { SKIP_REASONS, type CallFilter, type SkipReason } from './call-filter.js'
import { toUnreadableLine, type LogLine, type UnreadableLine } from './subscription.js'

/** Keys of values that a caller writes. */
const CALLERS_TEXT = /"(?:path|userAgent)"\s*:/

/** The outcome of each line; together they are all lines. */
export interface ReadCalls {
  /** In the order of the lines, no id twice. */
  calls: MeteredCall[]
  /** Lines about a call that an earlier line is about. */
  duplicates: number
  skipped: Record<SkipReason, number>
  unreadable: UnreadableLine[]
}

/** Reads lines of an access log; one that cannot be read costs no other. */
export function readCalls (lines: Iterable<LogLine>, filter: CallFilter): ReadCalls {
  const calls = new Map<string, MeteredCall>()
  const skipped = Object.fromEntries(SKIP_REASONS.map(reason => [reason, 0])) as Record<SkipReason, number>
  const unreadable: UnreadableLine[] = []
  let duplicates = 0
  for (const line of lines) {
    for (const call of readLine(line)) {
      if ('line' in call) {
        unreadable.push(call)
        continue
      }
      const reason = filter(call)
      if (reason !== null) skipped[reason]++
      else if (calls.has(call.id)) duplicates++
      else calls.set(call.id, call)
    }
  }
  return { calls: [...calls.values()], duplicates, skipped, unreadable }
}

/**
 * A line that holds several objects is as many calls, unless the caller may have written some of them: then it is the
 * call of the first one, and the rest cannot be read.
 */
function readLine ({ text, origin }: LogLine): Array<MeteredCall | UnreadableLine> {
  if (text.length > MAX_LINE_LENGTH || !mayHoldSeveralObjects(text)) return [tryRead(text, origin)]
  const objects = splitObjects(text)
  if (objects?.length === 1) return [tryRead(text, origin)]
  if (objects !== null && !CALLERS_TEXT.test(text)) {
    return objects.map((object, index) => tryRead(object, partOf(origin, index)))
  }
  const [first = text, ...others] = objects ?? [text]
  const call = tryRead(first, origin, { mustBeSure: true })
  if (objects === null && 'line' in call) return [call]
  const rest = objects === null ? [text] : others
  const fault = 'the line holds more than one object, and the caller may have written this one'
  return [call, ...rest.map((object, index) => toUnreadableLine(object, fault, partOf(origin, index + 1)))]
}

function partOf (origin: LogLine['origin'], index: number): LogLine['origin'] {
  return index === 0 ? origin : { ...origin, key: JSON.stringify([origin.key, index]) }
}

function tryRead (
  text: string, origin: LogLine['origin'], options?: { mustBeSure: boolean }
): MeteredCall | UnreadableLine {
  try {
    return readCall(text, origin, options)
  } catch (error) {
    if (!(error instanceof UnreadableLineError)) throw error
    return toUnreadableLine(text, error.message, origin)
  }
}
