import { monotonicNow } from '../../clock.js'
import { classifyFailure, type Failure } from '../../resilience/failure.js'
import type { RateLimiter } from '../../resilience/rate-limiter.js'
import type { DeliverContext, SinkCall } from './sink.js'

export type ApiAnswer<Output> = { output: Output, failure: null } | { output: null, failure: Failure }

/** The part of a delivery's context that one call needs. */
export type CallContext = Pick<DeliverContext, 'signal' | 'extend' | 'onCall'>

export interface ApiCall<Output> extends Pick<SinkCall, 'api' | 'destination' | 'items' | 'fill'> {
  send (options: { abortSignal: AbortSignal }): Promise<Output>
}

export const LEASE_RAN_OUT: Failure = {
  class: 'unavailable',
  message: 'the lease ran out before the call, and another process may have its items'
}

/** One call: waits for the rate limiter, makes sure of the lease, sends, classifies, reports. Never throws. */
export async function callApi<Output> (
  call: ApiCall<Output>, rateLimiter: RateLimiter, context: CallContext
): Promise<ApiAnswer<Output>> {
  try {
    await rateLimiter.acquire(context.signal)
  } catch (error) {
    return { output: null, failure: classifyFailure(error) }
  }
  if (!await context.extend()) return { output: null, failure: LEASE_RAN_OUT }
  const { send, ...described } = call
  const startedAt = monotonicNow()
  let answer: ApiAnswer<Output>
  try {
    answer = { output: await send({ abortSignal: context.signal }), failure: null }
    rateLimiter.succeeded()
  } catch (error) {
    answer = { output: null, failure: classifyFailure(error) }
    if (answer.failure.class === 'throttle') rateLimiter.throttled(answer.failure.retryAfterMs)
  }
  context.onCall({ ...described, durationMs: monotonicNow() - startedAt, failure: answer.failure?.class ?? null })
  return answer
}
