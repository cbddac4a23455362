import {
  CreateLogGroupCommand, CreateLogStreamCommand, PutRetentionPolicyCommand, type CloudWatchLogsClient
} from '@aws-sdk/client-cloudwatch-logs'
import type { Failure, FailureClass } from '../../../resilience/failure.js'
import { LOG_DESTINATION_TPS } from '../../../../schemas/aws-limits.js'
import type { RateLimiter } from '../../../resilience/rate-limiter.js'
import { callApi } from '../api-call.js'
import type { DeliverContext } from '../sink.js'
import { CreationQueue } from './creation-queue.js'

type Api = keyof typeof LOG_DESTINATION_TPS

/** A creation that finds no room comes back when those before it may be over. */
const MS_PER_CREATION = 1_000 / LOG_DESTINATION_TPS.CreateLogStream
/** How often deliveries look whether log streams are made for their application again. */
const LIMIT_RETRY_MS = 300_000
/** How often a retention policy is tried before the creation counts as failed. */
const RETENTION_ATTEMPTS = 5

const PASSING: ReadonlySet<FailureClass> = new Set(['throttle', 'unavailable', 'conflict'])

export interface LogDestinationsOptions {
  /** Made with awsClientOptions(). */
  logs: CloudWatchLogsClient
  rateLimiters: Record<Api, RateLimiter>
  /** One of RETENTION_DAYS, for a group that is made here; undefined: it keeps its events for ever. */
  retentionDaysFor?: (group: string) => number | undefined
  /** Whether log groups and log streams are still made for this application today. */
  mayCreateFor?: (application: string) => boolean
}

/**
 * Makes log groups and log streams that CloudWatch says are missing. Which of them exist is not remembered: the next
 * ResourceNotFound tells, so a group that somebody deletes is made again. Calls for the same name at the same time
 * share one creation.
 */
export class LogDestinations {
  readonly #options: LogDestinationsOptions
  readonly #underWay = new Map<string, Promise<Failure | null>>()
  readonly #creations = new CreationQueue()

  constructor (options: LogDestinationsOptions) {
    this.#options = options
  }

  /**
   * Waits for the turn of the application; the delivery holds no place among those under way meanwhile.
   * @returns the failure that stopped it; null when the stream exists
   */
  async create (group: string, stream: string, application: string, context: DeliverContext): Promise<Failure | null> {
    if (this.#options.mayCreateFor?.(application) === false) {
      return {
        class: 'throttle',
        message: 'its application has had the log streams of the day',
        retryAfterMs: LIMIT_RETRY_MS
      }
    }
    if (!this.#creations.hasRoom(application)) {
      const waiting = this.#creations.waiting(application)
      return {
        class: 'throttle',
        message: 'other log streams are made first',
        retryAfterMs: Math.ceil((waiting + 1) * MS_PER_CREATION)
      }
    }
    context.standAside(true)
    try {
      return await this.#creations.run(application, () => this.#create(group, stream, context))
    } finally {
      context.standAside(false)
    }
  }

  /** The stream first: in a group that exists, which is the rule, that is one call and one permission. */
  async #create (group: string, stream: string, context: DeliverContext): Promise<Failure | null> {
    const createStream = (): Promise<Failure | null> =>
      this.#once(`${group}:${stream}`, () => this.#createStream(group, stream, context))
    const failure = await createStream()
    if (failure?.class !== 'missing') return failure
    return await this.#once(group, () => this.#createGroup(group, context)) ?? await createStream()
  }

  async #createStream (group: string, stream: string, context: DeliverContext): Promise<Failure | null> {
    const failure = await this.#call('CreateLogStream', `${group}:${stream}`, context, options =>
      this.#options.logs.send(new CreateLogStreamCommand({ logGroupName: group, logStreamName: stream }), options))
    return failure?.class === 'exists' ? null : failure
  }

  async #createGroup (group: string, context: DeliverContext): Promise<Failure | null> {
    const failure = await this.#call('CreateLogGroup', group, context, options =>
      this.#options.logs.send(new CreateLogGroupCommand({ logGroupName: group }), options))
    if (failure?.class === 'exists') return null
    return failure ?? await this.#putRetention(group, context)
  }

  /** Tried again on the spot: once the group exists, nothing else would ever ask for its retention. */
  async #putRetention (group: string, context: DeliverContext): Promise<Failure | null> {
    const retentionDays = this.#options.retentionDaysFor?.(group)
    if (retentionDays === undefined) return null
    let failure: Failure | null = null
    for (let attempt = 0; attempt < RETENTION_ATTEMPTS; attempt++) {
      failure = await this.#call('PutRetentionPolicy', group, context, options =>
        this.#options.logs.send(new PutRetentionPolicyCommand({
          logGroupName: group,
          retentionInDays: retentionDays
        }), options))
      if (failure === null || !PASSING.has(failure.class)) break
    }
    return failure
  }

  async #call (
    api: Api, destination: string, context: DeliverContext,
    send: (options: { abortSignal: AbortSignal }) => Promise<unknown>
  ): Promise<Failure | null> {
    const { failure } = await callApi({
      api,
      destination,
      items: 0,
      fill: 0,
      send
    }, this.#options.rateLimiters[api], context)
    return failure
  }

  #once (name: string, create: () => Promise<Failure | null>): Promise<Failure | null> {
    const underWay = this.#underWay.get(name)
    if (underWay !== undefined) return underWay
    const creation = create().finally(() => this.#underWay.delete(name))
    this.#underWay.set(name, creation)
    return creation
  }
}
