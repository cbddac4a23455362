import type { Redis } from 'ioredis'
import { ask } from '../redis/ask.js'
import { CircuitBreaker } from './circuit-breaker.js'
import { RATE_ACQUIRE } from './rate-acquire.lua.js'
import { LocalRateLimiter, wait, type LocalRateLimiterOptions, type RateLimiter } from './rate-limiter.js'
import { RATE_THROTTLED } from './rate-throttled.lua.js'

/** How long a call waits for Redis before it goes by the rate of its own process. */
const REDIS_TIMEOUT_MS = 250
/** After one command without an answer, for how long all calls go by the rate of their own process. */
const BREAKER = { failureThreshold: 1, openDurationMs: 1_000 }

export interface RedisRateLimiterOptions extends LocalRateLimiterOptions {
  /** Shared, not closed here. */
  redis: Pick<Redis, 'eval'>
  /** The same in every process that shares this rate: one for each API and Region. */
  key: string
}

/**
 * The rate of a fleet: one token bucket in Redis, its rate beside it. While Redis does not answer, each process goes by
 * a rate of its own, which has seen the same throttles.
 */
export class RedisRateLimiter implements RateLimiter {
  readonly #redis: Pick<Redis, 'eval'>
  readonly #key: string
  readonly #cap: number
  readonly #local: LocalRateLimiter
  readonly #breaker: CircuitBreaker

  constructor ({ redis, key, cap, now }: RedisRateLimiterOptions) {
    this.#redis = redis
    this.#key = key
    this.#cap = cap
    this.#local = new LocalRateLimiter({ cap, now })
    this.#breaker = new CircuitBreaker({ ...BREAKER, now })
  }

  async acquire (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const ms = await this.#run(RATE_ACQUIRE)
    if (ms === null) return await this.#local.acquire(signal)
    await wait(ms, signal)
    this.#local.countCall()
  }

  succeeded (): void {
    this.#local.succeeded()
  }

  throttled (retryAfterMs = 0): void {
    this.#local.throttled(retryAfterMs)
    this.#run(RATE_THROTTLED, Math.round(retryAfterMs))
  }

  /** Null when Redis does not answer in time; never rejects. */
  async #run (script: string, ...args: number[]): Promise<number | null> {
    const command = (): Promise<unknown> => this.#redis.eval(script, 1, this.#key, this.#cap, ...args)
    return await ask(command, REDIS_TIMEOUT_MS, this.#breaker) as number | null
  }
}
