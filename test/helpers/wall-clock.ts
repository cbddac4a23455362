import type { Teardown } from './teardown.js'

const { now } = Date

/**
 * A wall clock that a test sets forward or back, as an operator or NTP does, until the test ends. To be taken over
 * before the code under test takes hold of `Date.now`.
 */
export function useWallClock (t: Teardown): { set (byMs: number): void } {
  let setByMs = 0
  Date.now = () => now() + setByMs
  t.teardown(() => { Date.now = now })
  return { set (byMs) { setByMs += byMs } }
}
