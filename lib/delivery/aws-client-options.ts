import type { CloudWatchClientConfig } from '@aws-sdk/client-cloudwatch'

export interface ClientOptionsInput {
  /** Milliseconds for the whole answer to one call. */
  requestTimeoutMs: number
  /** Milliseconds for the connection. */
  connectionTimeoutMs: number
}

export const DEFAULT_TIMEOUTS: ClientOptionsInput = { requestTimeoutMs: 30_000, connectionTimeoutMs: 5_000 }

const ignore = (): void => {}

/**
 * Without `info`, for which the SDK would copy the input of every call that succeeds: a fifth of what a full
 * PutLogEvents costs. What fails is told by the forwarder.
 */
const LOGGER = { trace: ignore, debug: ignore, warn: ignore, error: ignore } as NonNullable<CloudWatchClientConfig['logger']>

/**
 * What every AWS client of a sink is built with. One attempt: retrying is the forwarder's, the only one that knows the
 * class of the failure, the rate limit and the lease. Without `throwOnRequestTimeout` the SDK warns and waits for ever.
 */
export function clientOptions ({ requestTimeoutMs, connectionTimeoutMs }: ClientOptionsInput = DEFAULT_TIMEOUTS) {
  return {
    maxAttempts: 1,
    logger: LOGGER,
    requestHandler: { requestTimeout: requestTimeoutMs, connectionTimeout: connectionTimeoutMs, throwOnRequestTimeout: true }
  }
}
