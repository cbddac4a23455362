/** What a page may read of an answer, beside the headers that any page may. */
export const EXPOSED_HEADERS = [
  'Retry-After', 'Preference-Applied', 'Idempotency-Replayed',
  'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'X-Budget-Warning'
].join(', ')

/** The CORS headers of an answer that every page may read, as it holds nothing that depends on the request. */
export function corsHeadersForAll (): Record<string, string> {
  return {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': EXPOSED_HEADERS
  }
}
