import type { Channel } from '../processes/channel.js'
import type { RateLimiter } from './rate-limiter.js'

const CALLS = ['acquire', 'succeeded', 'throttled'] as const

interface RateLimiterCalls {
  acquire (api: string): Promise<void>
  succeeded (api: string): void
  throttled (api: string, retryAfterMs?: number): void
}

/** Lets another process pass the limiters of this one. */
export function serveRateLimiters (channel: Channel, limiters: Record<string, RateLimiter>): void {
  const gone = new AbortController()
  channel.onClose(() => gone.abort())
  channel.serve<RateLimiterCalls, typeof CALLS[number]>('rateLimiters', {
    acquire: api => limiters[api]!.acquire(gone.signal),
    succeeded: api => limiters[api]!.succeeded(),
    throttled: (api, retryAfterMs) => limiters[api]!.throttled(retryAfterMs)
  }, CALLS)
}

/** The limiter of another process, which most calls pass there. */
export class RemoteRateLimiter implements RateLimiter {
  readonly #channel: Channel
  readonly #api: string

  constructor (channel: Channel, api: string) {
    this.#channel = channel
    this.#api = api
  }

  async acquire (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      this.#channel.call<void>('rateLimiters.acquire', this.#api)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', abort))
    })
  }

  succeeded (): void {
    this.#channel.call('rateLimiters.succeeded', this.#api).catch(() => {})
  }

  throttled (retryAfterMs?: number): void {
    this.#channel.call('rateLimiters.throttled', this.#api, retryAfterMs).catch(() => {})
  }
}
