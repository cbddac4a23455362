import { createHmac } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import { neededAtStart } from '../../lib/configuration/needed-at-start.js'
import { ApiError } from '../../lib/http/api-error.js'
import { dayOf, StateStoreError } from '../../lib/state/store.js'
import type { BudgetState } from '../../lib/usage/budget.js'
import { KnownLogStreams } from '../../lib/usage/known-log-streams.js'
import { Usage, USAGE_SYNC_MS } from '../../lib/usage/usage.js'
import type { Application } from '../../schemas/applications.js'
import type { UsageReport } from '../../schemas/usage.js'

declare module 'fastify' {
  interface FastifyInstance { usage: ReturnType<typeof createUsage> }
}

const RETRY_AFTER_SECONDS = 5
/** The limit on new log streams, among the budgets of the metrics. */
const NEW_LOG_STREAMS = 'newLogStreams'
/** Calls that make a log group or a log stream. */
const CREATIONS = new Set(['CreateLogGroup', 'CreateLogStream'])

function createUsage (fastify: FastifyInstance, usage: Usage, knownLogStreams: KnownLogStreams) {
  const { applications, config, log, prometheus } = fastify
  const labelNames = ['application', 'budget']
  const used = prometheus.gauge({
    name: 'budget_used_ratio',
    help: 'Used part of a daily budget that has reached its soft limit.',
    labelNames,
    aggregator: 'max',
    collect: collectUsed
  })
  const warnings = prometheus.counter({
    name: 'budget_warnings_total',
    help: 'Requests that were taken though a daily budget had reached its soft limit.',
    labelNames
  })
  const refused = prometheus.counter({
    name: 'budget_refused_total', help: 'Requests that were refused as a daily budget was spent.', labelNames
  })
  /** The last warning about each application, so that it is logged once. */
  const lastWarnings = new Map<string, string>()

  function collectUsed (): void {
    used.reset()
    for (const application of fastify.applications.list()) {
      const state = usage.budgetOf(application)
      if (state !== null) used.set({ application: application.id, budget: state.budget }, state.share)
    }
  }

  function warnOnce (applicationId: string, { budget, limit, share }: BudgetState): void {
    const warning = `${dayOf(unixNow())} ${budget} ${share >= 1 ? 'spent' : 'soft'}`
    if (lastWarnings.get(applicationId) === warning) return
    lastWarnings.set(applicationId, warning)
    const message = share >= 1
      ? 'a daily budget is spent: requests are refused until midnight UTC'
      : 'a daily budget has reached its soft limit'
    log.warn({ application: applicationId, budget, limit, share }, message)
  }

  /** 0 for no limit. */
  function maxNewLogStreams (application: Application | undefined): number {
    return application?.maxNewLogStreams ?? config.MAX_NEW_LOG_STREAMS
  }

  function isOutOfLogStreams (applicationId: string, limit: number): boolean {
    return limit > 0 && usage.hasCreated(applicationId, limit)
  }

  return {
    record: usage.record.bind(usage),
    recordRefused: usage.recordRefused.bind(usage),
    recordSeries: usage.recordSeries.bind(usage),

    /** Counts a call to AWS that succeeded, and what it has made for an application. */
    recordCall (api: string, applicationId: string | undefined): void {
      usage.recordCall(api)
      if (applicationId !== undefined && CREATIONS.has(api)) usage.recordCreated(applicationId)
    },

    /** As `makesLogStreams`, and logs once a day when none are made. */
    mayCreate (applicationId: string): boolean {
      const limit = maxNewLogStreams(applications.get(applicationId))
      if (!isOutOfLogStreams(applicationId, limit)) return true
      const warning = `${dayOf(unixNow())} ${NEW_LOG_STREAMS}`
      const key = `${applicationId}\n${NEW_LOG_STREAMS}`
      if (lastWarnings.get(key) === warning) return false
      lastWarnings.set(key, warning)
      log.warn(
        { application: applicationId, limit }, 'no more log streams are made for this application until midnight UTC'
      )
      return false
    },

    /** Whether log groups and log streams are still made for this application today. */
    makesLogStreams (application: Application): boolean {
      return !isOutOfLogStreams(application.id, maxNewLogStreams(application))
    },

    /** To be awaited before `requireLogStream` when no log streams are made; no promise when that knows enough. */
    lookUpLogStreams ({ id }: Application, logStreams: Iterable<string>): void | Promise<void> {
      const names = [...logStreams]
      if (!names.some(name => knownLogStreams.has(id, name))) return knownLogStreams.lookUp(id, names)
    },

    /**
     * The first of these log streams that exists, as far as is known, or may be made.
     * @throws ApiError budgetSpent when each of them may have to be made, and no more are
     */
    requireLogStream (application: Application, logStreams: Iterable<string>): string {
      const { id } = application
      const limit = maxNewLogStreams(application)
      const isOut = isOutOfLogStreams(id, limit)
      for (const logStream of logStreams) {
        if (isOut && !knownLogStreams.has(id, logStream)) continue
        if (limit > 0) knownLogStreams.add(id, logStream)
        return logStream
      }
      refused.inc({ application: id, budget: NEW_LOG_STREAMS })
      throw new ApiError('budgetSpent', {
        message: `The application "${id}" has had its ${limit} log groups and log streams of the day made, and has ` +
          'not written to this one: write to one of those, or come back after midnight UTC.',
        retryAfter: usage.secondsToMidnight()
      })
    },

    /**
     * Warns from the soft limit of a daily budget on.
     * @throws ApiError budgetSpent
     */
    admit (application: Application, reply: FastifyReply): void {
      const state = usage.budgetOf(application)
      if (state === null) return
      const { id } = application
      const { budget, limit, share } = state
      warnOnce(id, state)
      if (share >= 1) {
        refused.inc({ application: id, budget })
        throw new ApiError('budgetSpent', {
          message: `The daily budget of ${limit} ${budget} of the application "${id}" is spent: it starts anew at ` +
            'midnight UTC.',
          retryAfter: usage.secondsToMidnight()
        })
      }
      warnings.inc({ application: id, budget })
      reply.header('X-Budget-Warning', `${budget}; used=${share.toFixed(2)}`)
    },

    /** @throws ApiError when the store cannot be reached */
    async report (days: number): Promise<UsageReport> {
      try {
        return { usage: await usage.report(days) }
      } catch (error) {
        throw error instanceof StateStoreError
          ? new ApiError('spoolUnavailable', { retryAfter: RETRY_AFTER_SECONDS })
          : error
      }
    }
  }
}

/** The secret of the hash of series, from a secret that all processes share; with another secret series count anew. */
function seriesSecretOf (secret: string): Uint8Array {
  return createHmac('sha256', secret).update('series').digest()
}

/** Owns `fastify.usage`: counts the usage of each application by day, and refuses requests beyond its budgets. */
async function usage (fastify: FastifyInstance): Promise<void> {
  const seriesSecret = seriesSecretOf(fastify.config.ACCESS_TOKEN_SECRET_KEY)
  const opening = Usage.open({ store: fastify.state, now: unixNow, seriesSecret })
  const usage = await neededAtStart(opening, StateStoreError)
  const knownLogStreams = new KnownLogStreams({ store: fastify.state, now: unixNow })
  fastify.decorate('usage', createUsage(fastify, usage, knownLogStreams))
  const timer = setInterval(() => { knownLogStreams.store() }, USAGE_SYNC_MS).unref()
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    await Promise.all([knownLogStreams.store(), usage.close()])
  })
}

export default fp(usage, { name: 'usage', dependencies: ['config', 'state', 'applications', 'prometheus', 'errors'] })
