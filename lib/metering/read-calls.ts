import { UnreadableLineError } from './access-log.js'
import { readCall, type MeteredCall } from './metered-call.js'
import { SKIP_REASONS, type CallFilter, type SkipReason } from './call-filter.js'
import { toUnreadableLine, type LogLine, type UnreadableLine } from './subscription.js'

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
  for (const { text, origin } of lines) {
    const call = tryRead(text, origin)
    if ('line' in call) {
      unreadable.push(call)
      continue
    }
    const reason = filter(call)
    if (reason !== null) skipped[reason]++
    else if (calls.has(call.id)) duplicates++
    else calls.set(call.id, call)
  }
  return { calls: [...calls.values()], duplicates, skipped, unreadable }
}

function tryRead (text: string, origin: LogLine['origin']): MeteredCall | UnreadableLine {
  try {
    return readCall(text, origin)
  } catch (error) {
    if (!(error instanceof UnreadableLineError)) throw error
    return toUnreadableLine(text, error.message, origin)
  }
}
