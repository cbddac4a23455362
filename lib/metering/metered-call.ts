import { createHash } from 'node:crypto'
import type { UnixMs } from '../../schemas/common.js'
import {
  readAccessLog, readInteger, readNumber, UnreadableLineError, type AccessLog, type AccessLogLine
} from './access-log.js'
import { applicationIdError } from './client-id.js'

/** The origin of the usage, as the platform shows it. */
export const SOURCE = 'AWS'

/**
 * Characters of one line. API Gateway takes 10,240 bytes of headers; a call this long still fits a message of a queue.
 */
export const MAX_LINE_LENGTH = 32_768

/** One call of an API, to be metered exactly once. */
export interface MeteredCall {
  /** The same whenever and wherever the same call is read again. */
  id: string
  timestamp: UnixMs
  /** Client id of the caller. Absent: no client can be billed for the call. */
  application?: string
  method?: string
  /** Path of the request. */
  url?: string
  responseCode: number
  remoteHost?: string
  /** Milliseconds in the backend. */
  backendLatency?: number
  /** Milliseconds in the gateway itself. */
  gatewayLatency?: number
  /** Milliseconds from the request to the end of the answer. */
  totalLatency?: number
  /** Bytes; no access log has them. */
  requestMessageSize?: number
  /** Bytes. */
  responseMessageSize?: number
  userAgent?: string
  httpProtocol?: string
  /** The id of this request in the gateway's own logs. */
  correlationId?: string
  /** The gateway itself has refused the call; the backend has not seen it. */
  turnedAway: boolean
}

/** Refusals of callers that are not entitled, in a log that does not say whether the backend was asked. */
const UNAUTHORIZED = [401, 403]

/** Where a line was found. */
export interface LineOrigin {
  /** Unique to the line, and the same when the line is delivered again. */
  key: string
  timestamp: UnixMs
}

/**
 * Reads one line of an access log.
 * @param mustBeSure whether the line is refused when the caller may have written who the client is
 * @throws UnreadableLineError
 */
export function readCall (line: string, origin: LineOrigin, { mustBeSure = false } = {}): MeteredCall {
  if (line.length > MAX_LINE_LENGTH) {
    throw new UnreadableLineError(`the line has more than ${MAX_LINE_LENGTH} characters`)
  }
  const accessLog = readAccessLog(line)
  if (mustBeSure && !accessLog.clientIsSure) {
    throw new UnreadableLineError(
      'the line holds more than one object, and the caller may have written who the client is'
    )
  }
  const { log } = accessLog
  const { integrationLatency, responseLatency } = log
  const application = applicationOf(log)
  const responseCode = statusOf(log)
  const backendLatency = readNumber(integrationLatency)
  const totalLatency = readNumber(responseLatency)
  return withoutAbsent({
    id: idOf(log, origin),
    timestamp: readInteger(log.requestTimeEpoch) ?? origin.timestamp,
    application,
    method: log.httpMethod,
    url: log.path,
    responseCode,
    remoteHost: log.sourceIp,
    backendLatency,
    gatewayLatency: totalLatency === undefined ? undefined : Math.max(0, totalLatency - (backendLatency ?? 0)),
    totalLatency,
    responseMessageSize: readInteger(log.responseLength),
    userAgent: log.userAgent,
    httpProtocol: log.protocol,
    correlationId: log.extendedRequestId ?? log.requestId,
    turnedAway: isTurnedAway(accessLog, responseCode)
  })
}

/**
 * The gateway's own refusals have no integration: no client, no authorizer, a limit, a body too large, no such route.
 */
function isTurnedAway ({ log, empty }: AccessLogLine, responseCode: number): boolean {
  if (readNumber(log.integrationLatency) !== undefined || log.integrationStatus !== undefined) return false
  if (UNAUTHORIZED.includes(responseCode)) return true
  const saysSo = empty.has('integrationLatency') || empty.has('integrationStatus')
  return saysSo && ((responseCode >= 400 && responseCode < 500) || log.authorizerError !== undefined)
}

/**
 * The id of a call. Not made of requestId: on a REST API callers can set it, and could have many calls metered as one.
 */
function idOf ({ apiId, stage, extendedRequestId }: AccessLog, origin: LineOrigin): string {
  const parts = extendedRequestId === undefined ? [origin.key] : [apiId ?? '', stage ?? '', extendedRequestId]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

function applicationOf ({ clientId, principalId }: AccessLog): string | undefined {
  const application = clientId ?? principalId
  const rule = application === undefined ? null : applicationIdError(application)
  if (rule !== null) throw new UnreadableLineError(`the client id ${rule}`)
  return application
}

function statusOf ({ status }: AccessLog): number {
  const code = readInteger(status)
  if (code === undefined || code < 100 || code > 599) {
    throw new UnreadableLineError(`the status is ${status === undefined ? 'missing' : 'not one of HTTP'}`)
  }
  return code
}

function withoutAbsent<T extends object> (fields: { [Key in keyof T]: T[Key] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
