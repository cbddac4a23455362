import { classifyFailure, readRetryAfter, type Failure, type FailureClass } from '../resilience/failure.js'
import { ApiKeyError } from './api-key.js'
import type { PlatformAnswer } from './platform.js'

const MAX_MESSAGE_LENGTH = 300

/**
 * Statuses with another class than their hundred. A status that only the operator can mend is `denied`: the key is
 * wrong, the account is closed, or the address is not that of the platform.
 */
const CLASSES: Readonly<Record<number, FailureClass>> = {
  401: 'denied',
  402: 'denied',
  403: 'denied',
  405: 'denied',
  407: 'denied',
  408: 'unavailable',
  409: 'conflict',
  425: 'unavailable',
  429: 'throttle'
}

/** The failure that an answer tells; null when the platform has taken the call. */
export function failureOfAnswer (answer: PlatformAnswer): Failure | null {
  const { status, headers } = answer
  if (status < 500 && isPage(answer)) {
    return { class: 'denied', message: `HTTP ${status} with a web page: this is not the address of the metering API` }
  }
  if (status >= 200 && status < 300) return null
  const failure: Failure = {
    class: CLASSES[status] ?? classOfHundred(status),
    message: `HTTP ${status} from the metering platform${reasonOf(answer)}`
  }
  const retryAfterMs = readHint(headers)
  if (retryAfterMs !== undefined) failure.retryAfterMs = retryAfterMs
  return failure
}

/** Errors of node:net and node:tls that only the operator can mend: the address is not that of the platform. */
const WRONG_ADDRESS_CODES = new Set<unknown>([
  'ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME', 'EAI_FAIL',
  'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG'
])

/** The failure that an exception of Platform.request tells. */
export function failureOfError (error: unknown): Failure {
  if (error instanceof ApiKeyError) return { class: 'denied', message: error.message.slice(0, MAX_MESSAGE_LENGTH) }
  const { name, message } = classifyFailure(error)
  const failureClass = WRONG_ADDRESS_CODES.has((error as NodeJS.ErrnoException | null)?.code) ? 'denied' : 'unavailable'
  return {
    class: failureClass,
    ...(name === undefined ? {} : { name }),
    message: `no answer from the metering platform: ${message}`.slice(0, MAX_MESSAGE_LENGTH)
  }
}

/** Whether the answer is a web page: its server knows nothing of calls and clients, whatever the status is. */
function isPage ({ text }: PlatformAnswer): boolean {
  return text.trimStart().startsWith('<')
}

function classOfHundred (status: number): FailureClass {
  if (status >= 500) return 'unavailable'
  return status < 400 ? 'denied' : 'invalid'
}

function readHint (headers: Record<string, string>): number | undefined {
  const ms = Number(headers['retry-after-ms'])
  return ms > 0 && Number.isFinite(ms) ? ms : readRetryAfter(headers)
}

function reasonOf ({ text }: PlatformAnswer): string {
  const words = text.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()
  return words === '' ? '' : `: ${words.slice(0, MAX_MESSAGE_LENGTH)}`
}
