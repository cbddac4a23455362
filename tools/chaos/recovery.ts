import type { Reading } from './monitor.js'
import type { FaultWindow } from './timeline.js'
import type { Call } from './witness.js'

/** An item that waits no longer than this only lingers. */
const FRESH_MS = 2_000

export interface Recovery {
  /** Milliseconds from the end of a fault to the end of the next call that CloudWatch took. */
  firstDeliveryMs: number
  /** Milliseconds from the end of a fault until no item in the spool was older than FRESH_MS. */
  freshMs: number
}

/**
 * The longest recovery after each kind of fault. A fault that met another fault before the gateway had recovered does
 * not count; the other fault does.
 */
export function measureRecovery (
  windows: readonly FaultWindow[], calls: readonly Call[], readings: readonly Reading[]
): Map<string, Partial<Recovery>> {
  const taken = calls.filter(({ outcome }) => outcome === 'taken').map(({ endedAt }) => endedAt).sort((a, b) => a - b)
  const fresh = readings.filter(({ oldestMs }) => oldestMs < FRESH_MS).map(({ at }) => at)
  const longest = new Map<string, Partial<Recovery>>()
  for (const { id, kind, endedAt } of windows) {
    const recovery = longest.get(kind) ?? {}
    longest.set(kind, recovery)
    const undisturbed = (at: number): boolean =>
      !windows.some(other => other.id !== id && other.startedAt <= at && other.endedAt > endedAt)
    const measure = (figure: keyof Recovery, times: number[]): void => {
      const at = times.find(time => time >= endedAt)
      if (at !== undefined && undisturbed(at)) recovery[figure] = Math.max(recovery[figure] ?? 0, at - endedAt)
    }
    measure('firstDeliveryMs', taken)
    measure('freshMs', fresh)
  }
  return longest
}
