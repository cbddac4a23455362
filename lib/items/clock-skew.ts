import type { UnixMs } from '../../schemas/common.js'
import { readLogTimestamp, readMetricTimestamp } from './timestamp.js'

/** A smaller difference is the time that the request was under way, or the clock of a machine that keeps time. */
const TOLERATED_MS = 60_000
/** The last time that a Date can hold; up to it, milliseconds are exact. */
const MAX_TIME = 8.64e15

/** Reads Unix milliseconds or ISO 8601. Null: neither. */
function readSentAt (value: unknown): UnixMs | null {
  const time = typeof value === 'number' ? Math.round(value) : readLogTimestamp(value) ?? readMetricTimestamp(value)
  return time !== null && time >= 0 && time <= MAX_TIME ? time : null
}

/**
 * Milliseconds that the client's clock is behind the server's (negative: ahead), to be added to its timestamps; 0 when
 * the difference is a minute or less, or sentAt is undefined. Null: sentAt is no time.
 * @param sentAt the client's time when it sent the request: Unix milliseconds or ISO 8601
 */
export function readClockSkew (sentAt: unknown, now: UnixMs): number | null {
  if (sentAt === undefined) return 0
  const time = readSentAt(sentAt)
  if (time === null) return null
  const skew = now - time
  return Math.abs(skew) > TOLERATED_MS ? skew : 0
}
