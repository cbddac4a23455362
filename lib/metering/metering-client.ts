import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UnixMs } from '../../schemas/common.js'
import { backoffMs, type BackoffSchedules } from '../resilience/backoff.js'
import type { Failure } from '../resilience/failure.js'
import type { MeteredCall } from './metered-call.js'
import type { Platform } from './platform.js'
import { failureOfAnswer, failureOfError } from './platform-failure.js'
import type { Profile } from './profiles.js'

/** Attempts at one call before it is left for later. */
const MAX_ATTEMPTS = 4
/** Calls in a row that got no answer, however often tried, after which the others are left for later, too. */
const MAX_EXHAUSTED = 5

/** Inside one invocation: short, because the time of a function is paid for. */
const CLIENT_BACKOFF: BackoffSchedules = {
  retry: { floorMs: 0, baseMs: 500, capMs: 8_000 },
  denied: { floorMs: 0, baseMs: 500, capMs: 8_000 },
  conflict: { floorMs: 0, baseMs: 500, capMs: 8_000 }
}

export type SendOutcome =
  | { call: MeteredCall, result: 'delivered' }
  /** The platform refuses the call, however often it is sent. */
  | { call: MeteredCall, result: 'refused', message: string }
  /** The call may or may not have arrived, and is to be sent again later; `failure` is null when it was never tried. */
  | { call: MeteredCall, result: 'left', failure: Failure | null }

export interface SendOptions {
  /** Calls under way at once. */
  concurrency: number
  /** From then on no call is sent, and calls under way are cut off. */
  deadline: UnixMs
  /** Called with each outcome as it comes; awaited before the next call. */
  onOutcome?: (outcome: SendOutcome) => Promise<void> | void
}

/** Sends calls to the platform. */
export interface MeteringClient {
  /** One attempt. Null when the platform has taken the call. Never throws. */
  post (call: MeteredCall, signal?: AbortSignal): Promise<Failure | null>
  /**
   * Tries each call until it is taken, refused, or the time is over. One outcome for each, in their order. Never
   * throws.
   */
  sendAll (calls: MeteredCall[], options: SendOptions): Promise<SendOutcome[]>
}

export interface MeteringClientOptions {
  platform: Platform
  profile: Profile
  now: () => UnixMs
  /** In [0, 1). */
  random: () => number
  /** Absent: CLIENT_BACKOFF. */
  backoff?: BackoffSchedules
}

export function createMeteringClient (options: MeteringClientOptions): MeteringClient {
  const { platform, profile } = options

  async function post (call: MeteredCall, signal?: AbortSignal): Promise<Failure | null> {
    for (const { path, body, idempotencyKey } of profile.posts(call)) {
      const failure = await postOne({ method: 'POST', path, body, idempotencyKey, signal })
      if (failure !== null) return failure
    }
    return null
  }

  async function postOne (request: Parameters<Platform['request']>[0]): Promise<Failure | null> {
    try {
      return failureOfAnswer(await platform.request(request))
    } catch (error) {
      return failureOfError(error)
    }
  }

  return {
    post,
    sendAll: async (calls, sendOptions) =>
      await new Sending({ backoff: CLIENT_BACKOFF, ...options }, post, sendOptions).all(calls)
  }
}

/** One sendAll: its calls share the time at which the platform may be asked again, and whether it is asked at all. */
class Sending {
  readonly #options: Required<MeteringClientOptions>
  readonly #post: MeteringClient['post']
  readonly #send: SendOptions
  readonly #deadline = new AbortController()
  /** The end of the pause that the platform has asked for. */
  #holdUntil: UnixMs = 0
  /** Calls in a row that got no answer. */
  #exhausted = 0
  /** Why no other call is tried. */
  #stopped: Failure | null = null

  constructor (options: Required<MeteringClientOptions>, post: MeteringClient['post'], send: SendOptions) {
    this.#options = options
    this.#post = post
    this.#send = send
    // as many wait at once as calls are under way
    setMaxListeners(0, this.#deadline.signal)
  }

  async all (calls: MeteredCall[]): Promise<SendOutcome[]> {
    const outcomes: SendOutcome[] = new Array(calls.length)
    let next = 0
    const work = async (): Promise<void> => {
      for (let index = next++; index < calls.length; index = next++) {
        const outcome = await this.#one(calls[index]!)
        outcomes[index] = outcome
        await this.#send.onOutcome?.(outcome)
      }
    }
    const timer = setTimeout(
      () => this.#deadline.abort(new Error('the time of this invocation is over')), Math.max(0, this.#leftMs())
    )
    try {
      await Promise.all(Array.from({ length: Math.min(this.#send.concurrency, calls.length) }, work))
    } finally {
      clearTimeout(timer)
    }
    return outcomes
  }

  async #one (call: MeteredCall): Promise<SendOutcome> {
    let last: Failure | null = null
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (!await this.#mayTry()) return { call, result: 'left', failure: last ?? this.#stopped }
      last = await this.#post(call, this.#deadline.signal)
      if (last === null) {
        this.#exhausted = 0
        return { call, result: 'delivered' }
      }
      if (last.class === 'invalid') return { call, result: 'refused', message: last.message }
      if (last.class === 'conflict') return { call, result: 'left', failure: last }
      if (last.class === 'denied') this.#stopped ??= last
      else if (!await this.#pause(last, attempt)) break
    }
    if (++this.#exhausted >= MAX_EXHAUSTED) this.#stopped ??= last
    return { call, result: 'left', failure: last }
  }

  /** Waits while the platform has asked for a pause; false when there is no time left, or no sense in it. */
  async #mayTry (): Promise<boolean> {
    for (let waitMs = this.#waitMs(); waitMs > 0; waitMs = this.#waitMs()) {
      if (this.#isOver() || waitMs >= this.#leftMs()) return false
      await this.#sleep(waitMs)
    }
    return !this.#isOver()
  }

  /** False when the time does not reach for another attempt. */
  async #pause (failure: Failure, attempt: number): Promise<boolean> {
    const { now, random, backoff } = this.#options
    const ms = backoffMs(failure, attempt, backoff, random)
    if (failure.retryAfterMs !== undefined) this.#holdUntil = Math.max(this.#holdUntil, now() + ms)
    if (ms >= this.#leftMs()) return false
    if (failure.retryAfterMs === undefined && attempt + 1 < MAX_ATTEMPTS) await this.#sleep(ms)
    return true
  }

  async #sleep (ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#deadline.signal }).catch(() => {})
  }

  #isOver (): boolean {
    return this.#stopped !== null || this.#deadline.signal.aborted || this.#leftMs() <= 0
  }

  #waitMs (): number {
    return this.#holdUntil - this.#options.now()
  }

  #leftMs (): number {
    return this.#send.deadline - this.#options.now()
  }
}
