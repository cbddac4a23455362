import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'

/** A stored time on the monotonic clock; a time in the future, after a wall clock was set back, counts as now. */
export function onMonotonicClock (at: UnixMs): MonotonicMs {
  return performance.now() - Math.max(0, Date.now() - at)
}
