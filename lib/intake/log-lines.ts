import type { LogEventsEnvelope } from '../../schemas/log-events.js'
import type { LogLines } from '../../schemas/log-lines.js'
import { ApiError } from '../http/api-error.js'
import type { IntakeContext } from './intake-context.js'
import { allItemsRejected, type Intake, type IntakeObserver, type IntakeResult, type PreparedAppend } from './intake.js'
import { UNREADABLE } from './json-lines.js'
import type { LogEventsIntake, LogEventsRequest } from './log-events-intake.js'
import { RejectedItems } from './rejected-items.js'
import { canonicalJson, digestContent, digestContents } from './request-digest.js'
import { isObject } from '../guards.js'

/** Log streams that one body may name; each is an append of its own. */
export const MAX_LOG_STREAMS = 100

/** The log events of one log stream, and their indexes in the body. */
type LogStreamRequest = LogEventsRequest & { bodyIndexes: number[] }

/**
 * The one access token that the documents carry.
 * @throws ApiError when they carry two
 */
function commonToken (documents: unknown[]): unknown {
  const tokens = new Set(
    documents.flatMap(document => isObject(document) && document.accessToken !== undefined
      ? [document.accessToken]
      : [])
  )
  if (tokens.size > 1) throw new ApiError('accessTokenInvalid')
  return tokens.values().next().value
}

/**
 * Reads the documents of a body of JSON lines, with or without the names of a log stream in the query.
 * @throws ApiError
 */
export function readLogLines (lines: unknown[], query: { logGroupName?: unknown, logStreamName?: unknown }): object {
  const { logGroupName, logStreamName } = query
  if ((logGroupName === undefined) !== (logStreamName === undefined)) {
    throw new ApiError('invalidRequest', {
      message: 'querystring must have both logGroupName and logStreamName, or neither.'
    })
  }
  if (logGroupName !== undefined) return { logGroupName, logStreamName, lines }
  const accessToken = commonToken(lines)
  return accessToken === undefined ? { lines } : { accessToken, lines }
}

export interface LogLinesIntakeOptions {
  intake: Intake
  logEvents: LogEventsIntake
  observer: IntakeObserver
  /** Null for a document that is a request, else the rule it breaks. */
  requestError (document: unknown): string | null
}

/** Takes in the log events of JSON lines, log stream by log stream, with one answer for all. */
export class LogLinesIntake {
  readonly #options: LogLinesIntakeOptions

  constructor (options: LogLinesIntakeOptions) {
    this.#options = options
  }

  /**
   * @throws ApiError when every log event is invalid, or the lines name too many log streams
   * @throws SpoolFullError
   * @throws SpoolUnavailableError
   */
  async accept ({ logGroupName, logStreamName, lines }: LogLines, context: IntakeContext): Promise<IntakeResult> {
    const { intake, logEvents } = this.#options
    if (logGroupName !== undefined && logStreamName !== undefined) {
      return await intake.accept(logEvents, { logGroupName, logStreamName, logEvents: lines }, context)
    }
    const { requests, invalid } = this.#split(lines)
    if (invalid.total > 0) logEvents.refused(invalid.total, context)
    const digests = context.idempotencyKey === undefined
      ? []
      : requests.map(request => digestContent(logEvents.contentOf(request)))
    const digest = context.idempotencyKey === undefined
      ? ''
      : digestContents(byLogStream(requests).map(request => logEvents.contentOf(request)))
    const prepared: PreparedAppend[] = []
    for (const [n, request] of requests.entries()) {
      const append = await this.#prepare(request, n, invalid, context, partOf(digests, n))
      if (append !== null) prepared.push(append)
    }
    if (prepared.length === 0) throw allItemsRejected(invalid)
    return await intake.store(prepared, invalid, context, digest)
  }

  /**
   * The log events of all documents, by log stream. An index counts over all log events of the body; a document that is
   * no request counts as one.
   */
  #split (documents: unknown[]): { requests: LogStreamRequest[], invalid: RejectedItems } {
    const { observer, requestError } = this.#options
    const requests = new Map<string, LogStreamRequest>()
    const invalid = new RejectedItems()
    let index = 0
    for (let n = 0; n < documents.length; n++) {
      const error = documents[n] === UNREADABLE
        ? 'cannot be read as JSON'
        : requestError(documents[n]) ?? sentAtError(documents[n] as LogEventsEnvelope)
      if (error !== null) {
        invalid.add(index++, 'invalid-item', `document ${n} ${error}.`)
        continue
      }
      const { accessToken: _token, logEvents, ...rest } = documents[n] as LogEventsEnvelope
      const key = canonicalJson(rest)
      const request = requests.get(key) ?? { ...rest, logEvents: [], bodyIndexes: [] }
      requests.set(key, request)
      if (requests.size > MAX_LOG_STREAMS) {
        throw new ApiError('invalidRequest', { message: `body must name at most ${MAX_LOG_STREAMS} log streams.` })
      }
      for (const event of logEvents) {
        request.logEvents.push(event)
        request.bodyIndexes.push(index++)
      }
    }
    if (invalid.total > 0) observer.onInvalid('logs', 'invalid-item', invalid.total)
    return { requests: [...requests.values()], invalid }
  }

  /** Null when none of the log events can be stored; `rejected` then has them all. */
  async #prepare (
    request: LogStreamRequest, n: number, rejected: RejectedItems, context: IntakeContext, part: string
  ): Promise<PreparedAppend | null> {
    const { intake, logEvents } = this.#options
    // Receipts are kept for each log stream.
    const ofStream = { ...context, requestId: `${context.requestId}/${n}` }
    try {
      await logEvents.lookUp(request, ofStream)
      const parsed = intake.parse(logEvents, request, ofStream)
      rejected.mergeAll(parsed.invalid)
      return parsed.valid.length === 0 ? null : await intake.prepare(logEvents, parsed, ofStream, part)
    } catch (error) {
      // A refusal of one log stream concerns its own log events alone.
      if (!(error instanceof ApiError)) throw error
      const refused = new RejectedItems()
      for (const index of request.bodyIndexes) refused.add(index, 'invalid-item', error.message)
      rejected.mergeAll(refused)
      logEvents.refused(refused.total, context)
      return null
    }
  }
}

/** The rule that `sentAt` breaks, checked before it is compared with other documents', as it may be any JSON. */
function sentAtError ({ sentAt }: LogEventsEnvelope): string | null {
  return sentAt === undefined || typeof sentAt === 'number' || typeof sentAt === 'string'
    ? null
    : 'is wrong at sentAt: expected a number or a string'
}

/** The log events of each log stream together, whatever the clocks of their documents said. */
function byLogStream (requests: LogStreamRequest[]): LogEventsRequest[] {
  const streams = new Map<string, LogEventsRequest>()
  for (const { logGroupName, logStreamName, logEvents } of requests) {
    const name = JSON.stringify([logGroupName, logStreamName])
    const stream = streams.get(name) ?? { logGroupName, logStreamName, logEvents: [] }
    streams.set(name, stream)
    for (const event of logEvents) stream.logEvents.push(event)
  }
  return [...streams.values()]
}

/** Tells a log stream's request from the others of its body: two may hold the same log events. */
function partOf (digests: string[], n: number): string {
  if (n >= digests.length) return ''
  const digest = digests[n]!
  return `${digest}.${digests.slice(0, n).filter(other => other === digest).length}`
}
