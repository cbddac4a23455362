/**
 * The metrics that the gateway publishes of itself. The version in the namespace changes when a name or a meaning does,
 * so that no alarm watches another metric than the one it was made for.
 */
export const SELF_METRICS_NAMESPACE = 'cloudwatch-postman/v1'
/** The dimension that tells the gateways of an account and Region from each other. */
export const SELF_METRICS_DIMENSION = 'Gateway'

/** Each is a maximum over the processes that publish it: all of them look at the same spool. */
export const SELF_METRICS = {
  /** Age of the oldest item that waits, of any kind. */
  SpoolOldestAgeSeconds: 'Seconds',
  /** The used part of SPOOL_MAX_BYTES, idempotency keys included. */
  SpoolUsedRatio: 'None',
  /** Dead letters that are kept. */
  DeadLetters: 'Count',
  /** 1 while readiness is 503. */
  Failing: 'None'
} as const

export type SelfMetric = keyof typeof SELF_METRICS
