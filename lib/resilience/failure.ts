/** What a failed call means for what was sent with it; a closed list. */
export const FAILURE_CLASSES = [
  /** Too many calls, or a quota is used up: try again, more slowly. */
  'throttle',
  /** No answer, an answer that cannot be read, a server error, or an error nobody has seen before: try again. */
  'unavailable',
  /** Credentials or permissions: keep, try again slowly, tell the operator. */
  'denied',
  /** Something in the request is refused, however often it is sent: find out what. */
  'invalid',
  /** The log group or the log stream does not exist. */
  'missing',
  /** What was to be created exists already. */
  'exists',
  /** Another call changes the same resource: try again soon. */
  'conflict',
  /** CloudWatch Logs has accepted this very batch before. */
  'already-accepted',
  /** A sequence token is asked for, which CloudWatch Logs itself ignores since 2023: try again. */
  'sequence'
] as const
export type FailureClass = typeof FAILURE_CLASSES[number]

export interface Failure {
  class: FailureClass
  /** In words an operator can act on; at most MAX_MESSAGE_LENGTH characters. */
  message: string
  /** The server's hint in milliseconds. */
  retryAfterMs?: number
}

const MAX_MESSAGE_LENGTH = 512

/** Names as in the service models, or as clients that speak the query protocol see them; first match wins. */
const CLASSES_BY_NAME: ReadonlyArray<[RegExp, FailureClass]> = [
  [/^(EC2)?Throttl|^RequestThrottled|^TooManyRequests|^RequestLimitExceeded|^LimitExceeded|^BandwidthLimitExceeded|^SlowDown|^ProvisionedThroughputExceeded/, 'throttle'],
  [/AccessDenied|^ExpiredToken|^UnrecognizedClient|^InvalidClientTokenId|^InvalidAccessKeyId|^(Invalid)?Signature|^IncompleteSignature|^MissingAuthenticationToken|^OptInRequired|^NotAuthorized|^Unauthorized|^AuthFailure|^RequestExpired|^RequestTimeTooSkewed|^CredentialsProviderError|^TokenProviderError/, 'denied'],
  [/^ResourceNotFound/, 'missing'],
  [/^ResourceAlreadyExists/, 'exists'],
  [/^OperationAborted/, 'conflict'],
  [/^DataAlreadyAccepted/, 'already-accepted'],
  [/^InvalidSequenceToken/, 'sequence'],
  [/^InvalidParameter|^InvalidFormat|^MissingParameter|^MissingRequiredParameter|^Validation|^SerializationException|^RequestEntityTooLarge/, 'invalid']
]

/** Statuses that speak for themselves, also when a proxy and not AWS has answered. */
const CLASSES_BY_STATUS: Readonly<Record<number, FailureClass>> = { 401: 'denied', 403: 'denied', 413: 'invalid', 429: 'throttle' }

const SAYS_NOTHING: ReadonlySet<string> = new Set(['Error', 'AggregateError'])

interface ResponseLike {
  statusCode?: number
  headers?: Record<string, string>
}

interface ErrorLike {
  name?: unknown
  code?: unknown
  Code?: unknown
  __type?: unknown
  message?: unknown
  $metadata?: { httpStatusCode?: number }
  $response?: ResponseLike
}

/** Reads whatever a call to AWS has thrown. Never throws; what it does not know is `unavailable`. */
export function classifyFailure (error: unknown): Failure {
  const like: ErrorLike = typeof error === 'object' && error !== null ? error : { message: error }
  const status = like.$metadata?.httpStatusCode ?? like.$response?.statusCode
  const names = [like.name, like.Code, like.__type, like.code].filter(name => typeof name === 'string').map(bareName)
  const failure: Failure = { class: classOf(names, status), message: describe(like, names, status) }
  const retryAfterMs = readRetryAfter(like.$response?.headers)
  if (retryAfterMs !== undefined) failure.retryAfterMs = retryAfterMs
  return failure
}

function classOf (names: string[], status: number | undefined): FailureClass {
  for (const [pattern, found] of CLASSES_BY_NAME) {
    if (names.some(name => pattern.test(name))) return found
  }
  return CLASSES_BY_STATUS[status ?? 0] ?? 'unavailable'
}

/** `com.amazonaws.logs#ResourceNotFoundException:http://…` is how some answers write their type. */
function bareName (name: string): string {
  return name.slice(name.lastIndexOf('#') + 1).split(':', 1)[0]!
}

function describe (error: ErrorLike, names: string[], status: number | undefined): string {
  if (names[0] === 'SyntaxError' && status !== undefined) return `HTTP ${status} with a body that is not an answer of AWS`
  const name = names.find(name => !SAYS_NOTHING.has(name)) ?? 'Error'
  const text = typeof error.message === 'string' ? error.message : ''
  const said = text.includes(name) ? text : [name, text].filter(Boolean).join(': ')
  const message = status === undefined || status < 500 ? said : `HTTP ${status}: ${said}`
  return message.slice(0, MAX_MESSAGE_LENGTH)
}

/** Seconds, or a date, which is read against the server's own clock. */
export function readRetryAfter (headers: Record<string, string> = {}): number | undefined {
  const header = (wanted: string): string | undefined => Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1]
  const value = header('retry-after')
  if (value === undefined) return undefined
  const seconds = Number(value)
  const ms = Number.isNaN(seconds) ? Date.parse(value) - Date.parse(header('date') ?? '') : seconds * 1_000
  return ms >= 0 && Number.isFinite(ms) ? ms : undefined
}
