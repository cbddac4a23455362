import type { FailureClass } from './failure.js'

export interface BackoffSchedule {
  /** The shortest wait. */
  floorMs: number
  /** The longest wait after the first failure; doubled with each attempt. */
  baseMs: number
  /** The longest wait, unless the server asks for a longer one. */
  capMs: number
}

export interface BackoffSchedules {
  /** Throttles, outages, and every class that is not named below. */
  retry: BackoffSchedule
  /** Somebody has to change a credential or a permission first. */
  denied: BackoffSchedule
  /** Another call is changing the same resource. */
  conflict: BackoffSchedule
}

export const DEFAULT_BACKOFF: BackoffSchedules = {
  retry: { floorMs: 100, baseMs: 200, capMs: 30_000 },
  denied: { floorMs: 15_000, baseMs: 60_000, capMs: 60_000 },
  conflict: { floorMs: 50, baseMs: 100, capMs: 5_000 }
}

/** A longer Retry-After is not followed. */
const MAX_RETRY_AFTER_MS = 300_000

/**
 * Milliseconds until the next attempt, with full jitter, so that callers that failed together do not return together.
 * @param attempt failures before this one, from 0
 * @param random in [0, 1)
 */
export function backoffMs (
  failure: { class: FailureClass, retryAfterMs?: number | undefined },
  attempt: number,
  schedules: BackoffSchedules,
  random: () => number
): number {
  const { floorMs, baseMs, capMs } = scheduleOf(failure.class, schedules)
  const jittered = Math.max(floorMs, random() * Math.min(capMs, baseMs * 2 ** attempt))
  const retryAfterMs = Math.min(failure.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
  // The jitter comes on top of the server's wait, or all callers that were told the same one would return together.
  return Math.round(retryAfterMs > 0 ? retryAfterMs + Math.min(jittered, retryAfterMs) : jittered)
}

function scheduleOf (failureClass: FailureClass, schedules: BackoffSchedules): BackoffSchedule {
  if (failureClass === 'denied') return schedules.denied
  if (failureClass === 'conflict') return schedules.conflict
  return schedules.retry
}
