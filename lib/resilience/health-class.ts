import type { HealthClass } from '../../schemas/health.js'
import type { Failure } from './failure.js'

const CREDENTIALS = new RegExp([
  '^CredentialsProviderError', '^TokenProviderError', '^ExpiredToken', '^UnrecognizedClient', '^InvalidClientTokenId',
  '^InvalidAccessKeyId', '^(Invalid)?Signature', '^IncompleteSignature', '^MissingAuthenticationToken'
].join('|'))
const TIMEOUT = /^(TimeoutError|AbortError|ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_\w*TIMEOUT)$/
const NETWORK =
  /^(E[A-Z_]+|CERT_\w+|ERR_(TLS|SSL|INVALID_URL)\w*|UNABLE_TO_\w+|(DEPTH_ZERO_)?SELF_SIGNED_\w+|UND_ERR_\w+)$/
/** The names of answers that nobody but another service gives. */
const NOT_THE_SERVICE = /^(HTTP-[1-4]\d\d|SyntaxError|UnknownOperation|InvalidAction|InvalidEndpoint|UnknownEndpoint)/
const SERVER_ERROR = /^HTTP[ -]5\d\d/
/** The errors of Redis, LMDB and the disk when they are full. */
const FULL = /\bOOM\b|maxmemory|ENOSPC|No space left|MDB_MAP_FULL/i
const READ_ONLY = new RegExp([
  'NOPERM', "can't run this command", 'NOREPLICAS', 'to confirm appends', 'READONLY', 'MISCONF', 'EACCES', 'EROFS',
  'EPERM', 'Permission denied', 'Read-only'
].join('|'), 'i')

/** The class of a failed call to AWS or to the metering platform, as readiness tells it. */
export function healthClassOf ({
  class: failure, name = '', message
}: Pick<Failure, 'class' | 'name' | 'message'>): HealthClass {
  if (SERVER_ERROR.test(name)) return 'server-error'
  if (NOT_THE_SERVICE.test(name)) return 'not-the-service'
  if (failure === 'throttle') return 'throttled'
  if (failure === 'invalid') return 'refused'
  if (TIMEOUT.test(name)) return 'timeout'
  if (NETWORK.test(name)) return 'unreachable'
  if (failure === 'denied') return CREDENTIALS.test(name) ? 'credentials' : 'denied'
  return SERVER_ERROR.test(message) ? 'server-error' : 'other'
}

/** The class of a failure of the store. */
export function healthClassOfStore (message: string): HealthClass {
  if (FULL.test(message)) return 'full'
  return READ_ONLY.test(message) ? 'read-only' : 'unreachable'
}
