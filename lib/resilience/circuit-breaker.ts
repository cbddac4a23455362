export interface CircuitBreakerOptions {
  /** Failures in a row after which nobody asks any more. */
  failures: number
  /** Milliseconds until one may ask again. */
  openMs: number
  /** Unix milliseconds. */
  now: () => number
}

/** Keeps calls away from a platform that does not answer, and lets one through now and then to see. */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  #failures = 0
  /** Unix milliseconds; nobody asks before. */
  #closedUntil = 0
  /** Unix milliseconds of the one call that was let through to see; null when there is none. */
  #probeAt: number | null = null

  constructor (options: CircuitBreakerOptions) {
    this.#options = options
  }

  /** Whether a call may be made now; who is told so reports how it went. */
  allows (): boolean {
    const now = this.#options.now()
    if (now < this.#closedUntil) return false
    if (this.#failures < this.#options.failures) return true
    // a probe that never reported was frozen with its process
    if (this.#probeAt !== null && now - this.#probeAt < this.#options.openMs) return false
    this.#probeAt = now
    return true
  }

  succeeded (): void {
    this.#failures = 0
    this.#probeAt = null
    this.#closedUntil = 0
  }

  /** @param retryAfterMs the platform's hint, which holds at once */
  failed (retryAfterMs = 0): void {
    const { failures, openMs, now } = this.#options
    this.#failures++
    this.#probeAt = null
    const pauseMs = this.#failures >= failures ? Math.max(openMs, retryAfterMs) : retryAfterMs
    this.#closedUntil = Math.max(this.#closedUntil, now() + pauseMs)
  }
}
