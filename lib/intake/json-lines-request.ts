import type { IntakeAnswer } from '../../schemas/intake.js'
import type { LogEventsEnvelope } from '../../schemas/log-events.js'
import { ApiError } from '../http/api-error.js'
import type { IntakeContext, IntakeResult } from './intake.js'
import { UNREADABLE } from './json-lines.js'
import { isObject } from '../guards.js'

/** Log streams that one body may name; each is an append of its own. */
export const MAX_LOG_STREAMS = 100

type Rejected = IntakeAnswer['rejected'][number]

/** The log events of a body that holds one request a line: its entries are those requests. */
export class LogDocuments extends Array<unknown> {}

/** What goes to one log stream, and where its events stand in the body. */
export interface LogBatch {
  envelope: LogEventsEnvelope
  /** Of each event in the body. */
  indexes: number[]
}

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
 * What POST /logEvents takes, made of the lines of a body. With a log group and a log stream in the query each line is
 * an event; without, each line is a request of its own.
 * @throws ApiError
 */
export function readLogLines (documents: unknown[], query: { logGroupName?: unknown, logStreamName?: unknown }): object {
  const { logGroupName, logStreamName } = query
  if ((logGroupName === undefined) !== (logStreamName === undefined)) throw new ApiError('invalidRequest', { message: 'querystring must have both logGroupName and logStreamName, or neither.' })
  if (logGroupName !== undefined) return { logGroupName, logStreamName, logEvents: documents }
  const accessToken = commonToken(documents)
  // The names are in the documents.
  return { ...(accessToken === undefined ? {} : { accessToken }), logGroupName: '', logStreamName: '', logEvents: LogDocuments.from(documents) }
}

/**
 * Sorts the events of all documents by log stream. An index counts over all events of the body; a document that is no
 * request counts as one event.
 * @param brokenRule null for a document that is a request, else the rule it breaks
 * @throws ApiError when they name too many log streams
 */
export function splitLogDocuments (documents: LogDocuments, brokenRule: (document: unknown) => string | null): { batches: LogBatch[], rejected: Rejected[] } {
  const batches = new Map<string, LogBatch>()
  const rejected: Rejected[] = []
  let index = 0
  for (let n = 0; n < documents.length; n++) {
    const rule = documents[n] === UNREADABLE ? 'cannot be read as JSON' : brokenRule(documents[n])
    if (rule !== null) {
      rejected.push({ index: index++, reason: 'invalid-item', message: `document ${n} ${rule}.` })
      continue
    }
    const { accessToken: _token, logEvents, ...rest } = documents[n] as LogEventsEnvelope
    const key = JSON.stringify(Object.entries(rest).sort())
    const batch = batches.get(key) ?? { envelope: { ...rest, logEvents: [] }, indexes: [] }
    batches.set(key, batch)
    if (batches.size > MAX_LOG_STREAMS) throw new ApiError('invalidRequest', { message: `body must name at most ${MAX_LOG_STREAMS} log streams.` })
    for (const event of logEvents) {
      batch.envelope.logEvents.push(event)
      batch.indexes.push(index++)
    }
  }
  return { batches: [...batches.values()], rejected }
}

/** The context of one of several appends of a request: receipts and idempotency keys are kept for each. */
function contextOfBatch (context: IntakeContext, batch: LogBatch, n: number): IntakeContext {
  const { logGroupName, logStreamName } = batch.envelope
  return {
    ...context,
    requestId: `${context.requestId}/${n}`,
    idempotencyKey: context.idempotencyKey === undefined ? undefined : JSON.stringify([context.idempotencyKey, n, logGroupName, logStreamName])
  }
}

interface BatchOutcome {
  /** Null when nothing of the batch was taken. */
  result: IntakeResult | null
  rejected: Rejected[]
}

/** A batch that the gateway refuses takes only its own events with it; a limit or a failure is the whole request's. */
function outcomeOfRefused (error: unknown, { indexes }: LogBatch): BatchOutcome {
  if (!(error instanceof ApiError) || ![400, 403].includes(error.statusCode)) throw error
  const { rejected } = (error.body ?? {}) as { rejected?: Rejected[] }
  return {
    result: null,
    rejected: rejected?.map(item => ({ ...item, index: indexes[item.index]! })) ?? indexes.map(index => ({ index, reason: 'invalid-item', message: error.message }))
  }
}

/**
 * Accepts each batch by itself and makes one answer of all.
 * @throws ApiError when every event was rejected
 */
export async function acceptLogBatches (
  { batches, rejected }: { batches: LogBatch[], rejected: Rejected[] },
  accept: (batch: LogBatch, context: IntakeContext) => Promise<IntakeResult>,
  context: IntakeContext
): Promise<IntakeResult> {
  const outcomes = await Promise.all(batches.map(async (batch, n): Promise<BatchOutcome> => {
    try {
      const result = await accept(batch, contextOfBatch(context, batch, n))
      // The answer to a key that was used for another body may speak of items that this one has not.
      return { result, rejected: result.answer.rejected.map(item => ({ ...item, index: batch.indexes[item.index] ?? item.index })) }
    } catch (error) {
      return outcomeOfRefused(error, batch)
    }
  }))
  const all = [...rejected, ...outcomes.flatMap(outcome => outcome.rejected)].sort((a, b) => a.index - b.index)
  const results = outcomes.flatMap(({ result }) => result ?? [])
  if (results.length === 0) throw new ApiError('allItemsRejected', { body: { accepted: 0, rejected: all } })
  const delivered = results.every(result => result.delivered)
  return {
    answer: {
      ResponseMetadata: { RequestId: delivered ? results[0]!.answer.ResponseMetadata.RequestId : context.requestId },
      accepted: results.reduce((sum, { answer }) => sum + answer.accepted, 0),
      rejected: all
    },
    delivered,
    replayed: results.every(result => result.replayed)
  }
}
