import { crc32 } from 'node:zlib'
import type { Application } from '../../schemas/applications.js'
import { LOG_STREAM_NAME } from '../../schemas/aws-limits.js'
import type { LogEventsEnvelope } from '../../schemas/log-events.js'
import { ApiError } from '../http/api-error.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { logGroupNameError, logStreamNameError } from '../items/names.js'
import { collapseEmbedded, embeddedDatums } from '../policy/emf/collapse-embedded.js'
import { findEmbeddedMetrics } from '../policy/emf/embedded-metrics.js'
import type { Reading } from '../policy/item-reader.js'
import { countLogEvent, encodeRecords, encodeVerbatimLogEvents, type ReceiptRef } from '../spool/record.js'
import type { SpoolRecord } from '../spool/spool.js'
import type { IntakeContext } from './intake-context.js'
import { partitionItems, type ItemIntake, type ParsedItems } from './item-intake.js'
import type { RequestContent } from './request-digest.js'

/** The log events of one log stream. */
export interface LogEventsRequest extends LogEventsEnvelope {
  /** Of each log event, its index in a body that holds those of several log streams. */
  bodyIndexes?: readonly number[]
}

export interface LogEventsIntakeOptions {
  /** How to read the log events of one request. @throws ApiError for a `sentAt` that is no time */
  readerFor (context: IntakeContext, sentAt: unknown): Reading<StoredLogEvent>
  /** Over how many log streams the log events for this one are spread; 1 for one that is not split. */
  shardsOf (application: Application, logGroup: string, logStream: string): number
  /** Whether further log streams are made for the application. */
  makesLogStreams (application: Application): boolean
  /** When none are made, asks for what `requireLogStream` has to know of these; no promise when it knows enough. */
  lookUpLogStreams (application: Application, logStreams: Iterable<string>): void | Promise<void>
  /**
   * The first of these log streams that the application may write to.
   * @throws ApiError when each of them may have to be made, and no more are made for the application
   */
  requireLogStream (application: Application, logStreams: Iterable<string>): string
  /** Counts stored log events for their application. */
  record (applicationId: string, items: number, bytes: number): void
  /** Counts invalid log events for their application. */
  recordRefused (applicationId: string, items: number): void
  /**
   * Replaces the data points, in the array, that are beyond the limits on series; no promise when every series is
   * known.
   */
  collapse (context: IntakeContext, namespace: string, datums: StoredDatum[]): void | Promise<void>
  /** Counts the series of embedded metrics for their application. */
  recordSeries (applicationId: string, namespace: string, datums: StoredDatum[]): void
}

/** Takes in log events; their destination is `logGroup:logStream`, and neither name can hold a colon. */
export class LogEventsIntake implements ItemIntake<LogEventsRequest, StoredLogEvent> {
  readonly kind = 'logs'
  readonly #options: LogEventsIntakeOptions

  constructor (options: LogEventsIntakeOptions) {
    this.#options = options
  }

  contentOf ({ logGroupName, logStreamName, logEvents }: LogEventsRequest): RequestContent {
    return { kind: this.kind, destination: [logGroupName, logStreamName], items: logEvents }
  }

  lookUp ({ logGroupName, logStreamName }: LogEventsRequest, context: IntakeContext): void | Promise<void> {
    const { application } = context
    if (this.#options.makesLogStreams(application)) return
    const shards = this.#options.shardsOf(application, logGroupName, logStreamName)
    return this.#options.lookUpLogStreams(application, logStreamsOf(logGroupName, logStreamName, shards, context))
  }

  parse (request: LogEventsRequest, context: IntakeContext): ParsedItems<StoredLogEvent> {
    const { logGroupName, logStreamName, logEvents, bodyIndexes, sentAt, accessToken } = request
    requireName('logGroupName', logGroupNameError(logGroupName))
    requireName('logStreamName', logStreamNameError(logStreamName))
    context.requireScope('logGroups', logGroupName)
    context.requireScope('logStreams', logStreamName)
    const shards = this.#options.shardsOf(context.application, logGroupName, logStreamName)
    requireName('logStreamName', shardedNameError(logStreamName, shards))
    const logStreams = logStreamsOf(logGroupName, logStreamName, shards, context)
    const destination = this.#options.requireLogStream(context.application, logStreams)
    const reading = this.#options.readerFor(context, sentAt)
    const { valid, indexes, invalid } = partitionItems(logEvents, reading.read, bodyIndexes)
    const { receivedAt } = reading
    const { bodyText } = context
    // A token is never stored.
    const isVerbatim = bodyText !== null && receivedAt !== null && accessToken === undefined && invalid.total === 0
    return { destination, valid, indexes, invalid, verbatim: isVerbatim ? { body: bodyText, receivedAt } : null }
  }

  /** Only log events whose metrics CloudWatch may extract have series. */
  collapse (parsed: ParsedItems<StoredLogEvent>, context: IntakeContext): void | Promise<void> {
    if (context.application.emf !== 'allow') return
    const embedded = parsed.valid.flatMap(([, message], position) => findEmbeddedMetrics(message) === null
      ? []
      : [position])
    if (embedded.length > 0) return this.#collapse(parsed, embedded, context)
  }

  async #collapse (
    parsed: ParsedItems<StoredLogEvent>, embedded: readonly number[], context: IntakeContext
  ): Promise<void> {
    for (const position of embedded) {
      const [timestamp, message] = parsed.valid[position]!
      const collapsed = await collapseEmbedded(message, (namespace, datums) =>
        this.#options.collapse(context, namespace, datums))
      if (collapsed === message) continue
      parsed.valid[position] = [timestamp, collapsed]
      parsed.verbatim = null
    }
  }

  encode ({ valid, verbatim }: ParsedItems<StoredLogEvent>, receipt: ReceiptRef | undefined): SpoolRecord[] {
    const record = verbatim === null || receipt !== undefined
      ? null
      : encodeVerbatimLogEvents(verbatim.body, valid, verbatim.receivedAt)
    return record === null ? encodeRecords(valid, countLogEvent, receipt) : [record]
  }

  refused (items: number, { application }: IntakeContext): void {
    this.#options.recordRefused(application.id, items)
  }

  stored ({ valid }: ParsedItems<StoredLogEvent>, bytes: number, { application }: IntakeContext): void {
    this.#options.record(application.id, valid.length, bytes)
    if (application.emf !== 'allow') return
    for (const [, message] of valid) {
      for (const [namespace, datums] of embeddedDatums(message)) {
        this.#options.recordSeries(application.id, namespace, datums)
      }
    }
  }
}

/**
 * The destinations that a request for this log stream may go to: the log stream itself or, of a split one, the log
 * stream of the request and then the others, which stand in for it where no more are made.
 */
function logStreamsOf (
  logGroupName: string, logStreamName: string, shards: number, { shardKey }: IntakeContext
): Iterable<string> {
  const name = `${logGroupName}:${logStreamName}`
  return shards === 1 ? [name] : shardsInTurn(name, shards, crc32(shardKey))
}

function * shardsInTurn (name: string, shards: number, first: number): Iterable<string> {
  for (let i = 0; i < shards; i++) yield `${name}-${(first + i) % shards}`
}

/** Null when the name has room for the number of a shard, else the rule it breaks. */
function shardedNameError (name: string, shards: number): string | null {
  const maxLength = LOG_STREAM_NAME.MAX_LENGTH - (shards === 1 ? 0 : `-${shards - 1}`.length)
  if (name.length <= maxLength) return null
  return `must have at most ${maxLength} characters, as its log events are spread over ${shards} log streams`
}

function requireName (field: string, error: string | null): void {
  if (error !== null) throw new ApiError('invalidRequest', { message: `${field} ${error}.` })
}
