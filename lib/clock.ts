import type { MonotonicMs, UnixMs } from '../schemas/common.js'

/** The wall clock, which somebody may set: for what is shown, stored or sent, never for how long something takes. */
export function unixNow (): UnixMs {
  return Date.now()
}

/** The clock that nobody can set: for durations. It says nothing to another process. */
export function monotonicNow (): MonotonicMs {
  return performance.now()
}

/** The age of a time that was stored or comes from another process; one ahead counts as long past. */
export function ageOf (at: UnixMs, now: UnixMs): number {
  return Math.abs(now - at)
}

/** A stored time on the monotonic clock; a time in the future, after a wall clock was set back, counts as now. */
export function onMonotonicClock (at: UnixMs): MonotonicMs {
  return monotonicNow() - Math.max(0, unixNow() - at)
}
