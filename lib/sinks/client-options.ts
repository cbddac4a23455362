export interface ClientOptionsInput {
  /** Milliseconds for the whole answer to one call. */
  requestTimeoutMs: number
  /** Milliseconds for the connection. */
  connectionTimeoutMs: number
}

export const DEFAULT_TIMEOUTS: ClientOptionsInput = { requestTimeoutMs: 30_000, connectionTimeoutMs: 5_000 }

/**
 * What every AWS client of a sink is built with. One attempt: retrying is the forwarder's, the only one that knows the
 * class of the failure, the pace and the lease. Without `throwOnRequestTimeout` the SDK warns and waits for ever.
 */
export function clientOptions ({ requestTimeoutMs, connectionTimeoutMs }: ClientOptionsInput = DEFAULT_TIMEOUTS) {
  return {
    maxAttempts: 1,
    requestHandler: { requestTimeout: requestTimeoutMs, connectionTimeout: connectionTimeoutMs, throwOnRequestTimeout: true }
  }
}
