import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import { ApiError } from '../../lib/http/api-error.js'
import { createSecretCheck } from '../../lib/http/secrets.js'
import type { MeteredCall } from '../../lib/metering/metered-call.js'
import { createMeteringClient } from '../../lib/metering/metering-client.js'
import { allSkipped, createCallFilter, type CallFilter } from '../../lib/metering/call-filter.js'
import { DeliveryTooLargeError, readFirehoseDelivery, type FirehoseDelivery } from '../../lib/metering/firehose.js'
import { storedDeliveredIds } from '../../lib/metering/stored-ids.js'
import type { Platform } from '../../lib/metering/platform.js'
import { PROFILES } from '../../lib/metering/profiles.js'
import { readCalls } from '../../lib/metering/read-calls.js'
import {
  decodeEnvelope, decodeSubscription, toUnreadableLine, SubscriptionError, type LogLine, type Subscription,
  type UnreadableLine
} from '../../lib/metering/subscription.js'
import { KEY_HOLD_MS } from '../../lib/spool/key-limits.js'
import { encodeRecords } from '../../lib/spool/record.js'
import { isObject } from '../../lib/guards.js'
import {
  countMetering, createMeteringSink, type StoredMetering
} from '../../lib/delivery/sinks/metering/metering-sink.js'
import type { Config } from '../../schemas/config.js'
import type { AccessLogsAnswer } from '../../schemas/metering.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Null without a metering platform. */
    metering: ReturnType<typeof createMetering> | null
  }
}

/** One queue: there is one platform. */
const DESTINATION = 'platform'
/** Whose share of the idempotency keys the deliveries of Firehose have; no application has such an id. */
const KEYS_OF = '~metering'
/** That every line of a delivery was skipped is told no more often. */
const TOLD_AGAIN_MS = 60_000
const OUTCOMES_HELP = 'Calls and lines of access logs that came in to be metered, by outcome.'

interface Lines {
  lines: LogLine[]
  unreadable: UnreadableLine[]
}

function filterOf (config: Config): CallFilter {
  return createCallFilter({
    turnedAway: config.METER_TURNED_AWAY === 'true',
    anonymous: config.METER_ANONYMOUS === 'true',
    excludeMethods: config.METER_EXCLUDE_METHODS ?? [],
    excludePaths: config.METER_EXCLUDE_PATHS ?? [],
    excludeStatuses: config.METER_EXCLUDE_STATUSES ?? []
  })
}

function digest (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** @throws ApiError when the body is no event of a subscription */
function payloadOf (body: unknown): unknown {
  if (Buffer.isBuffer(body)) return body
  const { awslogs } = body as { awslogs?: unknown }
  if (!isObject(awslogs) || typeof awslogs.data !== 'string') {
    throw new ApiError('invalidRequest', { message: 'body.awslogs.data must be a text.' })
  }
  return awslogs.data
}

/** A payload that cannot be read as a whole is stored like a line that cannot be read. */
async function readPayload (payload: unknown, now: number): Promise<Lines> {
  try {
    const subscription: Subscription = Buffer.isBuffer(payload)
      ? await decodeEnvelope(payload)
      : await decodeSubscription(payload)
    return subscription.kind === 'probe' ? { lines: [], unreadable: [] } : subscription
  } catch (error) {
    if (!(error instanceof SubscriptionError)) throw error
    const text = Buffer.isBuffer(payload) ? payload.toString('base64') : String(payload)
    return {
      lines: [],
      unreadable: [toUnreadableLine(text, error.message, { key: digest(text).toString('hex'), timestamp: now })]
    }
  }
}

function createMetering (fastify: FastifyInstance) {
  const { config, failures, log, spool, prometheus } = fastify
  const outcomes = prometheus.counter({ name: 'metering_lines_total', help: OUTCOMES_HELP, labelNames: ['outcome'] })
  const filter = filterOf(config)
  const isAccessKey = config.METERING_ACCESS_KEY === undefined ? null : createSecretCheck(config.METERING_ACCESS_KEY)

  /**
   * @param key under which the items are stored once, however often they come
   * @throws ApiError requestUnderWay
   */
  async function store (items: StoredMetering[], key?: string): Promise<void> {
    if (items.length === 0) return
    const append = { kind: 'metering' as const, destination: DESTINATION, records: encodeRecords(items, countMetering) }
    if (key === undefined) await spool.append(append)
    else {
      // A delivery that is repeated is the same, so its key says all.
      const result = await spool.appendOnce([{ ...append, part: '' }], {
        application: KEYS_OF,
        key,
        digest: key,
        answer: '',
        holdMs: KEY_HOLD_MS
      })
      if (result.state === 'under-way') throw new ApiError('requestUnderWay')
      if (result.state !== 'stored') return
      await result.finish()
    }
    prometheus.onAccepted('metering', items.length)
  }

  let toldAt = -Infinity

  function tellAllSkipped (read: Parameters<typeof allSkipped>[0]): void {
    const all = allSkipped(read)
    if (all === null || monotonicNow() - toldAt < TOLD_AGAIN_MS) return
    toldAt = monotonicNow()
    log.warn({ skipped: all.skipped, hint: all.hint }, all.message)
  }

  async function storeLines ({ lines, unreadable }: Lines, key?: string): Promise<AccessLogsAnswer> {
    const read = readCalls(lines, filter)
    const broken = [...unreadable, ...read.unreadable]
    await store([...read.calls, ...broken], key)
    tellAllSkipped({ ...read, unreadable: broken })
    const skipped = Object.values(read.skipped).reduce((sum, count) => sum + count, 0)
    const answer = { accepted: read.calls.length, duplicates: read.duplicates, skipped, unreadable: broken.length }
    for (const [outcome, count] of Object.entries({ ...answer, skipped: 0, ...read.skipped })) {
      if (count > 0) outcomes.inc({ outcome }, count)
    }
    return answer
  }

  return {
    /** Without an access key the routes for access logs do not exist. */
    takesAccessLogs: isAccessKey !== null,

    /** Spread into the options of a route for access logs. */
    required: {
      onRequest: [failures.guard, function requireAccessKey (
        request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction
      ): void {
        const accessKey = String(request.headers['x-amz-firehose-access-key'] ?? bearerOf(request) ?? '')
        if (isAccessKey?.(accessKey) !== true) throw new ApiError('accessKeyInvalid')
        done()
      }]
    },

    /**
     * Stores the calls of one event of a CloudWatch Logs subscription.
     * @param body the event, or the gzip bytes of its envelope
     * @throws ApiError
     */
    async acceptSubscription (body: unknown): Promise<AccessLogsAnswer> {
      return await storeLines(await readPayload(payloadOf(body), unixNow()))
    },

    /**
     * Stores the calls of one request of Firehose, once.
     * @param source ARN of the stream
     * @throws ApiError
     */
    async acceptFirehose (delivery: FirehoseDelivery, source: string): Promise<AccessLogsAnswer> {
      const lines = await readFirehoseDelivery(delivery).catch((error: unknown) => {
        throw error instanceof DeliveryTooLargeError ? new ApiError('bodyTooLarge', { message: error.message }) : error
      })
      return await storeLines(lines, `firehose:${digest(JSON.stringify([source, delivery.requestId])).toString('hex')}`)
    },

    /** Stores a call of the gateway's own, unless it is not to be metered. */
    async acceptCall (call: MeteredCall): Promise<void> {
      const reason = filter(call)
      outcomes.inc({ outcome: reason ?? 'accepted' })
      if (reason === null) await store([call])
    }
  }
}

function bearerOf ({ headers: { authorization } }: FastifyRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

function addSink (fastify: FastifyInstance, platform: Platform): void {
  const { config, log, prometheus, state } = fastify
  const duplicates = prometheus.counter({
    name: 'metering_duplicates_total', help: 'Calls that were metered before, and not sent again.'
  })
  fastify.forwarding.add(createMeteringSink({
    client: createMeteringClient({
      platform,
      profile: PROFILES[config.METERING_PROFILE],
      now: unixNow,
      random: Math.random
    }),
    delivered: storedDeliveredIds(state),
    concurrency: config.METERING_CONCURRENCY,
    api: `Meter:${config.METERING_PROFILE}`,
    onDuplicates: count => duplicates.inc(count),
    onMemoryError: error =>
      log.error(
        { err: error },
        'it cannot be remembered which calls are metered: the platform has to tell by their Idempotency-Key'
      )
  }))
}

/** Owns `fastify.metering`: takes metered calls in, and forwards them to the platform. */
async function metering (fastify: FastifyInstance): Promise<void> {
  const { platform } = fastify
  fastify.decorate('metering', platform === null ? null : createMetering(fastify))
  if (platform !== null) addSink(fastify, platform.metering)
}

export default fp(metering, {
  name: 'metering',
  dependencies: ['config', 'platform', 'spool', 'state', 'prometheus', 'forwarding', 'errors', 'failures']
})
