import { setTimeout as sleep } from 'node:timers/promises'
import type { MonotonicMs } from '../../schemas/common.js'

/** How fast one API may be called in one account and Region; every call passes through `acquire`. */
export interface RateLimiter {
  /** Resolves when the next call may be made. @throws AbortError when the signal is aborted first */
  acquire (signal: AbortSignal): Promise<void>
  succeeded (): void
  /** @param retryAfterMs how long the server asks to wait */
  throttled (retryAfterMs?: number): void
}

/** Calls per second that no throttle cuts the rate below. */
export const FLOOR_TPS = 1
/** A throttle within this time of another one tells nothing new: its call was on its way when the rate was cut. */
export const CUT_INTERVAL_MS = 250
/** A longer Retry-After is not followed here, but by the backoff of the destination. */
export const MAX_HOLD_MS = 30_000
/** Calls that may be made at once after a pause, as a share of a second. */
export const BURST_SECONDS = 0.1

/** The constants of CUBIC as the adaptive retry mode of the AWS SDKs uses them. */
export const CUBIC = { BETA: 0.7, SCALE: 0.4 } as const

/**
 * Calls per second, `ms` after a throttle at `lastMax` calls per second: cut at once, soon near the last maximum, and
 * beyond it ever faster, so that a fleet finds a limit that it does not know, stays near it, and leaves it when it is
 * gone.
 */
export function cubicRate (lastMax: number, ms: number, cap: number): number {
  const recoverySeconds = Math.cbrt(lastMax * (1 - CUBIC.BETA) / CUBIC.SCALE)
  const rate = lastMax + CUBIC.SCALE * (ms / 1_000 - recoverySeconds) ** 3
  return Math.min(cap, Math.max(FLOOR_TPS, rate))
}

export interface LocalRateLimiterOptions {
  /** Calls per second that the account is allowed. */
  cap: number
  now: () => MonotonicMs
}

/** Limits the calls of one process. */
export class LocalRateLimiter implements RateLimiter {
  readonly #cap: number
  readonly #now: () => MonotonicMs
  /** The last throttle that cut the rate; null before the first, when the cap is the rate. */
  #cut: { lastMax: number, at: MonotonicMs } | null = null
  /** When the next call may be made, were there no burst. */
  #nextAt: MonotonicMs = -Infinity
  /** Calls of a window of one second, and of the window before it. */
  #window = { startedAt: -Infinity, calls: 0, before: 0 }

  constructor ({ cap, now }: LocalRateLimiterOptions) {
    this.#cap = cap
    this.#now = now
  }

  /** Calls per second. */
  get rate (): number {
    return this.#cut === null ? this.#cap : cubicRate(this.#cut.lastMax, this.#now() - this.#cut.at, this.#cap)
  }

  async acquire (signal: AbortSignal): Promise<void> {
    await wait(this.reserve(), signal)
    this.countCall()
  }

  /** Reserves the next call. @returns milliseconds until it may be made, not above 0 for now */
  reserve (): number {
    const now = this.#now()
    const at = Math.max(this.#nextAt, now - BURST_SECONDS * 1_000)
    this.#nextAt = at + 1_000 / this.rate
    return at - now
  }

  /** Counts a call that is being made, also one that another rate limiter has let through. */
  countCall (): void {
    this.#turnWindow(this.#now())
    this.#window.calls++
  }

  /** Time alone raises the rate again. */
  succeeded (): void {}

  throttled (retryAfterMs = 0): void {
    const now = this.#now()
    this.#nextAt = Math.max(this.#nextAt, now + Math.min(retryAfterMs, MAX_HOLD_MS))
    if (this.#cut !== null && now - this.#cut.at < CUT_INTERVAL_MS) return
    this.#cut = { lastMax: Math.max(FLOOR_TPS, Math.min(this.rate, this.#measuredRate(now))), at: now }
  }

  /** Calls in the last second: of this window, and of the share of the window before that lies within that second. */
  #measuredRate (now: MonotonicMs): number {
    this.#turnWindow(now)
    const { startedAt, calls, before } = this.#window
    return calls + before * (1 - (now - startedAt) / 1_000)
  }

  #turnWindow (now: MonotonicMs): void {
    const { startedAt, calls } = this.#window
    const elapsed = now - startedAt
    if (elapsed < 1_000) return
    this.#window = elapsed < 2_000
      ? { startedAt: startedAt + 1_000, calls: 0, before: calls }
      : { startedAt: now, calls: 0, before: 0 }
  }
}

/** @throws AbortError */
export async function wait (ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (ms > 0) await sleep(ms, undefined, { signal })
}
