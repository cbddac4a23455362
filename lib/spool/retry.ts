import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicNow } from '../clock.js'
import { SpoolFullError, SpoolUnavailableError } from './spool.js'

const FIRST_DELAY_MS = 50
const MAX_DELAY_MS = 2_000

/**
 * Repeats an operation that is safe to repeat while the store is full or cannot be reached.
 * @param signal aborted when the spool closes
 * @throws Error, the last one, when `limitMs` have passed or the signal is aborted
 */
export async function retryStore<T> (operation: () => Promise<T>, limitMs: number, signal: AbortSignal): Promise<T> {
  const deadline = monotonicNow() + limitMs
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
    try {
      return await operation()
    } catch (error) {
      const passing = error instanceof SpoolUnavailableError || error instanceof SpoolFullError
      if (!passing || signal.aborted || monotonicNow() + delayMs > deadline) throw error
      await sleep(delayMs, undefined, { signal, ref: false }).catch(() => { throw error })
    }
  }
}
