import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'

/** A stored time on the monotonic clock of this process; a time in the future, of a wall clock that was set back, is now. */
export function onMonotonicClock (at: UnixMs): MonotonicMs {
  return performance.now() - Math.max(0, Date.now() - at)
}
