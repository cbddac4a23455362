import type { MonotonicMs } from '../../schemas/common.js'

export interface CircuitBreakerOptions {
  /** Failures in a row after which it opens. */
  failureThreshold: number
  /** Milliseconds for which it stays open. */
  openDurationMs: number
  now: () => MonotonicMs
}

/**
 * Keeps calls away from a server that does not answer. Closed, it lets every call through; open, none. After its open
 * time one call goes through as a probe, and the other calls wait for the outcome of that probe.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  /** Failures in a row. */
  #failures = 0
  #openUntil: MonotonicMs = -Infinity
  /** When the probe that is under way was let through; null when there is none. */
  #probeStartedAt: MonotonicMs | null = null

  constructor (options: CircuitBreakerOptions) {
    this.#options = options
  }

  /** Whether a call may be made now; the caller reports how it went. */
  allows (): boolean {
    const { failureThreshold, openDurationMs } = this.#options
    const now = this.#options.now()
    if (now < this.#openUntil) return false
    if (this.#failures < failureThreshold) return true
    // A probe that has not reported for this long was frozen with its process.
    if (this.#probeStartedAt !== null && now - this.#probeStartedAt < openDurationMs) return false
    this.#probeStartedAt = now
    return true
  }

  succeeded (): void {
    this.#failures = 0
    this.#probeStartedAt = null
    this.#openUntil = -Infinity
  }

  /** @param retryAfterMs how long the server asks to be left alone; opens the breaker at the first failure */
  failed (retryAfterMs = 0): void {
    const { failureThreshold, openDurationMs, now } = this.#options
    this.#failures++
    this.#probeStartedAt = null
    const openMs = this.#failures >= failureThreshold ? Math.max(openDurationMs, retryAfterMs) : retryAfterMs
    this.#openUntil = Math.max(this.#openUntil, now() + openMs)
  }
}
