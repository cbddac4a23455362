import type { ResponseHeader } from '../../schemas/response-headers.js'

/**
 * The headers that a page may send: those that routes read, and those that scripts of other tools add to every request.
 */
export const ALLOWED_HEADERS = [
  'Authorization', 'Content-Type', 'Content-Encoding', 'Idempotency-Key', 'Prefer', 'X-Api-Key', 'X-Requested-With',
  // Ids of sessions and requests.
  'X-Faro-Session-Id', 'X-Request-Id', 'X-Correlation-Id', 'Request-Id', 'Request-Context',
  // Traces: W3C, Zipkin, Jaeger, X-Ray, Google, Sentry, Datadog, New Relic, Elastic, Instana, Dynatrace.
  'Traceparent', 'Tracestate', 'Baggage',
  'B3', 'X-B3-TraceId', 'X-B3-SpanId', 'X-B3-ParentSpanId', 'X-B3-Sampled', 'X-B3-Flags',
  'Uber-Trace-Id', 'X-Amzn-Trace-Id', 'X-Cloud-Trace-Context', 'Sentry-Trace',
  'X-Datadog-Trace-Id', 'X-Datadog-Parent-Id', 'X-Datadog-Origin', 'X-Datadog-Sampling-Priority', 'X-Datadog-Tags',
  'Newrelic', 'Elastic-Apm-Traceparent', 'X-Instana-T', 'X-Instana-S', 'X-Instana-L', 'X-Dtc', 'X-Dtpc'
]

/** The headers of an answer that a page may read, beside those that every page may read. */
export const EXPOSED_HEADERS = ([
  'Retry-After', 'Preference-Applied', 'Idempotency-Replayed',
  'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'X-Budget-Warning'
] satisfies ResponseHeader[]).join(', ')

/** The CORS headers of an answer that every page may read, as it holds nothing that depends on the request. */
export function corsHeadersForAll (): Record<string, string> {
  return {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': EXPOSED_HEADERS
  }
}
