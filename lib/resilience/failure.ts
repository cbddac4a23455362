/** The meaning of a failed call for the items that it carried; a closed list. */
export const FAILURE_CLASSES = [
  /** Too many calls, or a quota is used up: send again, more slowly. */
  'throttle',
  /** No answer, an answer that cannot be read, a server error, or an error without a class of its own: send again. */
  'unavailable',
  /** Credentials or permissions: keep the items, send again slowly, tell the operator. */
  'denied',
  /** An item of the request is refused, however often it is sent: find that item. */
  'invalid',
  /** The log group or the log stream does not exist. */
  'missing',
  /** The log group or the log stream that was to be created exists already. */
  'exists',
  /** Another call is changing the same resource: send again soon. */
  'conflict',
  /** CloudWatch Logs has accepted this very batch before. */
  'already-accepted',
  /** A sequence token is asked for, which CloudWatch Logs itself has ignored since 2023: send again. */
  'sequence'
] as const
export type FailureClass = typeof FAILURE_CLASSES[number]

export interface Failure {
  class: FailureClass
  /** The name of the error, or its code when the network has failed: AccessDeniedException, ECONNREFUSED. */
  name?: string
  /** In words an operator can act on; at most MAX_MESSAGE_LENGTH characters. */
  message: string
  /** Milliseconds that the server asks to wait (Retry-After). */
  retryAfterMs?: number
}

const MAX_MESSAGE_LENGTH = 512

/** Names as in the service models, or as clients that speak the query protocol see them; the first match wins. */
const CLASSES_BY_NAME: ReadonlyArray<[RegExp, FailureClass]> = [
  [oneOf(
    '^(EC2)?Throttl', '^RequestThrottled', '^TooManyRequests', '^RequestLimitExceeded', '^LimitExceeded',
    '^BandwidthLimitExceeded', '^SlowDown', '^ProvisionedThroughputExceeded'
  ), 'throttle'],
  [oneOf(
    'AccessDenied', '^ExpiredToken', '^UnrecognizedClient', '^InvalidClientTokenId', '^InvalidAccessKeyId',
    '^(Invalid)?Signature', '^IncompleteSignature', '^MissingAuthenticationToken', '^OptInRequired', '^NotAuthorized',
    '^Unauthorized', '^AuthFailure', '^CredentialsProviderError', '^TokenProviderError'
  ), 'denied'],
  [oneOf('^RequestExpired', '^RequestTimeTooSkewed', '^RequestInTheFuture'), 'unavailable'],
  [/^ResourceNotFound/, 'missing'],
  [/^ResourceAlreadyExists/, 'exists'],
  [/^OperationAborted/, 'conflict'],
  [/^DataAlreadyAccepted/, 'already-accepted'],
  [/^InvalidSequenceToken/, 'sequence'],
  [oneOf(
    '^InvalidParameter', '^InvalidFormat', '^MissingParameter', '^MissingRequiredParameter', '^Validation',
    '^SerializationException', '^RequestEntityTooLarge'
  ), 'invalid']
]

/** How AWS refuses a signature for its time alone. The SDK takes the time of the answer for the next call. */
const WRONG_TIME = /^Signature (?:expired|not yet current)\b/

function oneOf (...patterns: string[]): RegExp {
  return new RegExp(patterns.join('|'))
}

/** Statuses that have one meaning, also when a proxy and not AWS has answered. */
const CLASSES_BY_STATUS: Readonly<Record<number, FailureClass>> = {
  401: 'denied',
  403: 'denied',
  413: 'invalid',
  429: 'throttle'
}

/** Names of errors that say nothing about the failure. */
const GENERIC_NAMES: ReadonlySet<string> = new Set(['Error', 'AggregateError'])
/** Names come over the network, too: anything else is not shown. */
const NAME = /^[\w.-]{1,64}$/
/** Codes of the operating system: the SDK calls a connection that was cut a TimeoutError. */
const SYSTEM_CODE = /^E[A-Z_]+$/
/** How Node says that a command has failed, with the command and all that it wrote to stderr. */
const FAILED_COMMAND = /^Command failed\b/

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

/** Reads whatever a call to AWS has thrown. Never throws; an error of no known name or status is `unavailable`. */
export function classifyFailure (error: unknown): Failure {
  const errorLike: ErrorLike = typeof error === 'object' && error !== null ? error : { message: error }
  const status = errorLike.$metadata?.httpStatusCode ?? errorLike.$response?.statusCode
  const { name: ownName, Code, __type, code } = errorLike
  const names = [ownName, Code, __type, code].filter(name => typeof name === 'string').map(bareName)
  const failure: Failure = {
    class: isOfWrongTime(errorLike) ? 'unavailable' : classOf(names, status),
    message: describe(errorLike, names, status)
  }
  const name = nameOf(names, status)
  if (NAME.test(name)) failure.name = name
  const retryAfterMs = readRetryAfter(errorLike.$response?.headers)
  if (retryAfterMs !== undefined) failure.retryAfterMs = retryAfterMs
  return failure
}

function isOfWrongTime ({ message }: ErrorLike): boolean {
  return typeof message === 'string' && WRONG_TIME.test(message)
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

function nameOf (names: string[], status: number | undefined): string {
  if (isUnreadable(names, status)) return `HTTP-${status}`
  return names.find(name => SYSTEM_CODE.test(name)) ?? names.find(name => !GENERIC_NAMES.has(name)) ?? ''
}

/** Whether an answer came that is not one of AWS, but that of a proxy, say. */
function isUnreadable (names: string[], status: number | undefined): boolean {
  return names[0] === 'SyntaxError' && status !== undefined
}

function describe (error: ErrorLike, names: string[], status: number | undefined): string {
  if (isUnreadable(names, status)) return `HTTP ${status} with a body that is not an answer of AWS`
  const name = names.find(name => !GENERIC_NAMES.has(name)) ?? 'Error'
  const errorMessage = typeof error.message === 'string' ? error.message : ''
  // The command of credential_process may have a secret among its arguments.
  const text = FAILED_COMMAND.test(errorMessage) ? 'the command has failed' : errorMessage
  const named = text.includes(name) ? text : [name, text].filter(Boolean).join(': ')
  const message = status === undefined || status < 500 ? named : `HTTP ${status}: ${named}`
  return message.slice(0, MAX_MESSAGE_LENGTH)
}

/** Milliseconds of a Retry-After header: of its seconds, or of its date as seen from the server's own clock. */
export function readRetryAfter (headers: Record<string, string> = {}): number | undefined {
  const header = (wanted: string): string | undefined =>
    Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1]
  const value = header('retry-after')
  if (value === undefined) return undefined
  const seconds = Number(value)
  const ms = Number.isNaN(seconds) ? Date.parse(value) - Date.parse(header('date') ?? '') : seconds * 1_000
  return ms >= 0 && Number.isFinite(ms) ? ms : undefined
}
