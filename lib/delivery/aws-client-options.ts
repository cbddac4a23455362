import type { CloudWatchClientConfig } from '@aws-sdk/client-cloudwatch'

/** Credentials and endpoints are found by the SDK's own rules. */
export interface AwsClientSettings {
  /** Absent: the Region is found by the SDK's own rules. */
  region?: string | undefined
  /** Milliseconds for the whole answer to one call. */
  requestTimeoutMs: number
}

const CONNECTION_TIMEOUT_MS = 5_000

const ignore = (): void => {}

/**
 * A logger without `info`, for which the SDK would copy the input of every call that succeeds. A call that fails is
 * logged by its caller.
 */
const LOGGER = {
  trace: ignore,
  debug: ignore,
  warn: ignore,
  error: ignore
} as NonNullable<CloudWatchClientConfig['logger']>

/**
 * The options of every AWS client of the gateway: those of `fastify.aws`, and those of the thread that delivers. One
 * attempt: retrying is the forwarder's, the only one that knows the class of the failure, the rate limit and the lease.
 * Without `throwOnRequestTimeout` the SDK warns and waits for ever.
 */
export function awsClientOptions ({ region, requestTimeoutMs }: AwsClientSettings) {
  return {
    ...(region === undefined ? {} : { region }),
    maxAttempts: 1,
    logger: LOGGER,
    requestHandler: {
      requestTimeout: requestTimeoutMs,
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      throwOnRequestTimeout: true
    }
  }
}
