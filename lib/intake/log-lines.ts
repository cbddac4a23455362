import type { IntakeAnswer } from '../../schemas/intake.js'
import type { LogEventsEnvelope } from '../../schemas/log-events.js'
import type { LogLines } from '../../schemas/log-lines.js'
import { ApiError } from '../http/api-error.js'
import type { IntakeContext } from './intake-context.js'
import type { Intake, IntakeObserver, IntakeResult } from './intake.js'
import type { InvalidEntry } from './item-intake.js'
import { UNREADABLE } from './json-lines.js'
import type { LogEventsIntake, LogEventsRequest } from './log-events-intake.js'
import { isObject } from '../guards.js'

/** Log streams that one body may name; each is an append of its own. */
export const MAX_LOG_STREAMS = 100

type Rejected = IntakeAnswer['rejected'][number]

/** The log events of one log stream, and their indexes in the body. */
type LogStreamRequest = LogEventsRequest & { bodyIndexes: number[] }

/**
 * The one access token that the documents carry.
 * @throws ApiError when they carry two
 */
function commonToken (documents: unknown[]): unknown {
  const tokens = new Set(documents.flatMap(document => isObject(document) && document.accessToken !== undefined ? [document.accessToken] : []))
  if (tokens.size > 1) throw new ApiError('accessTokenInvalid')
  return tokens.values().next().value
}

/**
 * Reads the documents of a body of JSON lines, with or without the names of a log stream in the query.
 * @throws ApiError
 */
export function readLogLines (lines: unknown[], query: { logGroupName?: unknown, logStreamName?: unknown }): object {
  const { logGroupName, logStreamName } = query
  if ((logGroupName === undefined) !== (logStreamName === undefined)) throw new ApiError('invalidRequest', { message: 'querystring must have both logGroupName and logStreamName, or neither.' })
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

/** Takes in the log events of JSON lines: those of each log stream by themselves, with one answer for all. */
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
    if (logGroupName !== undefined && logStreamName !== undefined) return await intake.accept(logEvents, { logGroupName, logStreamName, logEvents: lines }, context)
    const { requests, invalid } = this.#split(lines)
    const outcomes = await Promise.all(requests.map((request, n) => this.#acceptOne(request, contextOf(request, n, context))))
    const rejected = [...invalid, ...outcomes.flatMap(outcome => outcome.rejected)].sort((a, b) => a.index - b.index)
    const results = outcomes.flatMap(({ result }) => result ?? [])
    if (results.length === 0) throw new ApiError('allItemsRejected', { body: { accepted: 0, rejected } })
    const delivered = results.every(result => result.delivered)
    return {
      answer: {
        ResponseMetadata: { RequestId: delivered ? results[0]!.answer.ResponseMetadata.RequestId : context.requestId },
        accepted: results.reduce((sum, { answer }) => sum + answer.accepted, 0),
        rejected
      },
      delivered,
      replayed: results.every(result => result.replayed)
    }
  }

  /**
   * The log events of all documents, by log stream. An index counts over all log events of the body; a document that is no
   * request counts as one.
   */
  #split (documents: unknown[]): { requests: LogStreamRequest[], invalid: InvalidEntry[] } {
    const { observer, requestError } = this.#options
    const requests = new Map<string, LogStreamRequest>()
    const invalid: InvalidEntry[] = []
    let index = 0
    for (let n = 0; n < documents.length; n++) {
      const error = documents[n] === UNREADABLE ? 'cannot be read as JSON' : requestError(documents[n])
      if (error !== null) {
        invalid.push({ index: index++, reason: 'invalid-item', message: `document ${n} ${error}.` })
        continue
      }
      const { accessToken: _token, logEvents, ...rest } = documents[n] as LogEventsEnvelope
      const key = JSON.stringify(Object.entries(rest).sort())
      const request = requests.get(key) ?? { ...rest, logEvents: [], bodyIndexes: [] }
      requests.set(key, request)
      if (requests.size > MAX_LOG_STREAMS) throw new ApiError('invalidRequest', { message: `body must name at most ${MAX_LOG_STREAMS} log streams.` })
      for (const event of logEvents) {
        request.logEvents.push(event)
        request.bodyIndexes.push(index++)
      }
    }
    for (const { reason } of invalid) observer.onInvalid('logs', reason)
    return { requests: [...requests.values()], invalid }
  }

  async #acceptOne (request: LogStreamRequest, context: IntakeContext): Promise<LogStreamOutcome> {
    const { intake, logEvents } = this.#options
    try {
      const result = await intake.accept(logEvents, request, context)
      // The answer to a key that was used for another body may speak of items that this one has not.
      return { result, rejected: result.answer.rejected.map(item => ({ ...item, index: request.bodyIndexes[item.index] ?? item.index })) }
    } catch (error) {
      return outcomeOfRefused(error, request)
    }
  }
}

/** The context of one of several appends of a body: receipts and idempotency keys are kept for each. */
function contextOf ({ logGroupName, logStreamName }: LogStreamRequest, n: number, context: IntakeContext): IntakeContext {
  const { requestId, idempotencyKey } = context
  return {
    ...context,
    requestId: `${requestId}/${n}`,
    idempotencyKey: idempotencyKey === undefined ? undefined : JSON.stringify([idempotencyKey, n, logGroupName, logStreamName])
  }
}

interface LogStreamOutcome {
  /** Null when none of the log events was stored. */
  result: IntakeResult | null
  rejected: Rejected[]
}

/** A refusal of one log stream's request concerns its own log events alone; a limit or a failure concerns the whole body. */
function outcomeOfRefused (error: unknown, { bodyIndexes }: LogStreamRequest): LogStreamOutcome {
  if (!(error instanceof ApiError) || ![400, 403].includes(error.statusCode)) throw error
  const { rejected } = (error.body ?? {}) as { rejected?: Rejected[] }
  return {
    result: null,
    rejected: rejected?.map(item => ({ ...item, index: bodyIndexes[item.index]! })) ?? bodyIndexes.map(index => ({ index, reason: 'invalid-item', message: error.message }))
  }
}
