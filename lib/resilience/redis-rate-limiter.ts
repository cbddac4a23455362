import type { Redis } from 'ioredis'
import { BURST_SECONDS, CUBIC, CUT_INTERVAL_MS, FLOOR_TPS, LocalRateLimiter, MAX_HOLD_MS, wait, type LocalRateLimiterOptions, type RateLimiter } from './rate-limiter.js'

/** How long one call waits for Redis before it goes by the pace of its own process. */
const REDIS_TIMEOUT_MS = 250
/** How long all calls go by the pace of their own process after Redis has not answered. */
const REDIS_PAUSE_MS = 1_000
/** A pace nobody has used for this long starts again at the cap. */
const FORGET_MS = 600_000

/**
 * What both scripts share. The hash of a pace:
 *   next              when the next call may be made, were there no burst (Unix milliseconds)
 *   max, cut          rate at the last throttle, and when that was
 *   start, calls, before   window of one second: its start, its calls, the calls of the one before
 */
const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local cap = tonumber(ARGV[1])
local stored = redis.call('HMGET', KEYS[1], 'next', 'max', 'cut', 'start', 'calls', 'before')
local next = tonumber(stored[1]) or 0
local max = tonumber(stored[2])
local cut = tonumber(stored[3]) or 0
local start = tonumber(stored[4]) or 0
local calls = tonumber(stored[5]) or 0
local before = tonumber(stored[6]) or 0

local rate = cap
if max then
  local recovery = (max * ${1 - CUBIC.BETA} / ${CUBIC.SCALE}) ^ (1 / 3)
  rate = math.min(cap, math.max(${FLOOR_TPS}, max + ${CUBIC.SCALE} * ((now - cut) / 1000 - recovery) ^ 3))
end

local elapsed = now - start
if elapsed >= 2000 then
  start, calls, before = now, 0, 0
elseif elapsed >= 1000 then
  start, calls, before = start + 1000, 0, calls
end

local function save (...)
  redis.call('HSET', KEYS[1], ...)
  redis.call('PEXPIRE', KEYS[1], ${FORGET_MS})
end
`

/**
 * Takes the next place.
 * KEYS[1] hash of the pace; ARGV[1] cap in calls per second.
 * Returns the milliseconds to wait.
 */
const ACQUIRE = `${PRELUDE}
local slot = math.max(next, now - ${BURST_SECONDS * 1_000})
save('next', string.format('%.3f', slot + 1000 / rate), 'start', string.format('%.3f', start), 'calls', calls + 1, 'before', before)
return math.ceil(slot - now)
`

/**
 * Notes a throttle.
 * KEYS[1] hash of the pace; ARGV[1] cap in calls per second; ARGV[2] the server's hint in milliseconds.
 */
const THROTTLED = `${PRELUDE}
local hold = math.min(tonumber(ARGV[2]), ${MAX_HOLD_MS})
save('next', string.format('%.3f', math.max(next, now + hold)))
if max and now - cut < ${CUT_INTERVAL_MS} then return end
local measured = calls + before * (1 - (now - start) / 1000)
local found = math.max(${FLOOR_TPS}, math.min(rate, measured))
save('max', string.format('%.3f', found), 'cut', string.format('%.3f', now))
`

export interface RedisRateLimiterOptions extends LocalRateLimiterOptions {
  /** Shared, not closed here. */
  redis: Pick<Redis, 'eval'>
  /** The same in every process that shares this pace: one for each API and Region. */
  key: string
}

/**
 * The pace of a fleet: one token bucket in Redis, its rate beside it. While Redis does not answer, each process goes by
 * a pace of its own, which has seen the same throttles.
 */
export class RedisRateLimiter implements RateLimiter {
  readonly #redis: Pick<Redis, 'eval'>
  readonly #key: string
  readonly #cap: number
  readonly #now: () => number
  readonly #local: LocalRateLimiter
  #pausedUntil = 0

  constructor ({ redis, key, cap, now }: RedisRateLimiterOptions) {
    this.#redis = redis
    this.#key = key
    this.#cap = cap
    this.#now = now
    this.#local = new LocalRateLimiter({ cap, now })
  }

  async acquire (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const ms = await this.#ask(ACQUIRE)
    if (ms === null) return await this.#local.acquire(signal)
    await wait(ms, signal)
    this.#local.countCall()
  }

  succeeded (): void {
    this.#local.succeeded()
  }

  throttled (retryAfterMs = 0): void {
    this.#local.throttled(retryAfterMs)
    this.#ask(THROTTLED, Math.round(retryAfterMs))
  }

  /** Null when Redis does not answer in time; never rejects. */
  async #ask (script: string, ...args: number[]): Promise<number | null> {
    if (this.#now() < this.#pausedUntil) return null
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('Redis does not answer')), REDIS_TIMEOUT_MS)
    })
    try {
      return await Promise.race([this.#redis.eval(script, 1, this.#key, this.#cap, ...args), timeout]) as number
    } catch {
      this.#pausedUntil = this.#now() + REDIS_PAUSE_MS
      return null
    } finally {
      clearTimeout(timer)
    }
  }
}
