import type { FailureClass } from './failure.js'

export interface BackoffSchedule {
  /** Never sooner than this. */
  floorMs: number
  /** Doubled with each attempt. */
  baseMs: number
  /** Never later than this, unless the server asks for it. */
  capMs: number
}

export interface BackoffSchedules {
  /** Throttles, outages, and everything that is not named below. */
  retry: BackoffSchedule
  /** Somebody has to change a credential or a permission first. */
  denied: BackoffSchedule
  /** Another call changes the same resource, which takes it a moment. */
  conflict: BackoffSchedule
}

export const DEFAULT_BACKOFF: BackoffSchedules = {
  retry: { floorMs: 100, baseMs: 200, capMs: 30_000 },
  denied: { floorMs: 15_000, baseMs: 60_000, capMs: 60_000 },
  conflict: { floorMs: 50, baseMs: 100, capMs: 5_000 }
}

/** A server that asks for more than this is asked again anyway. */
const MAX_HINT_MS = 300_000

/**
 * Milliseconds until the next attempt, with full jitter, so that those who failed together do not return together.
 * @param attempt how often it has failed before, from 0
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
  const hint = Math.min(failure.retryAfterMs ?? 0, MAX_HINT_MS)
  // On top of the hint, or everybody who was given the same one would come back at the same moment.
  return Math.round(hint > 0 ? hint + Math.min(jittered, hint) : jittered)
}

function scheduleOf (failureClass: FailureClass, schedules: BackoffSchedules): BackoffSchedule {
  if (failureClass === 'denied') return schedules.denied
  if (failureClass === 'conflict') return schedules.conflict
  return schedules.retry
}
