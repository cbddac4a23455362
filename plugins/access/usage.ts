import { createHmac } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import { ApiError } from '../../lib/http/api-error.js'
import { dayOf, StateStoreError } from '../../lib/state/store.js'
import type { BudgetState } from '../../lib/usage/budget.js'
import { Usage } from '../../lib/usage/usage.js'
import type { Application } from '../../schemas/applications.js'
import type { UsageReport } from '../../schemas/usage.js'

declare module 'fastify' {
  interface FastifyInstance { usage: ReturnType<typeof createUsage> }
}

const RETRY_AFTER_SECONDS = 5

function createUsage (fastify: FastifyInstance, usage: Usage) {
  const { log, prometheus } = fastify
  const labelNames = ['application', 'budget']
  const used = prometheus.gauge({ name: 'budget_used_ratio', help: 'Used part of a daily budget that has reached its soft limit.', labelNames, collect: collectUsed })
  const warnings = prometheus.counter({ name: 'budget_warnings_total', help: 'Requests that were taken though a daily budget had reached its soft limit.', labelNames })
  const refused = prometheus.counter({ name: 'budget_refused_total', help: 'Requests that were refused as a daily budget was spent.', labelNames })
  /** The last warning about each application, so that it is logged once. */
  const told = new Map<string, string>()

  function collectUsed (): void {
    used.reset()
    for (const application of fastify.applications.list()) {
      const state = usage.budgetOf(application)
      if (state !== null) used.set({ application: application.id, budget: state.budget }, state.share)
    }
  }

  function warnOnce (applicationId: string, { budget, limit, share }: BudgetState): void {
    const warning = `${dayOf(unixNow())} ${budget} ${share >= 1 ? 'spent' : 'soft'}`
    if (told.get(applicationId) === warning) return
    told.set(applicationId, warning)
    const message = share >= 1
      ? 'a daily budget is spent: requests are refused until midnight UTC'
      : 'a daily budget has reached its soft limit'
    log.warn({ application: applicationId, budget, limit, share }, message)
  }

  return {
    record: usage.record.bind(usage),
    recordRefused: usage.recordRefused.bind(usage),
    recordSeries: usage.recordSeries.bind(usage),
    recordCall: usage.recordCall.bind(usage),

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
          message: `The daily budget of ${limit} ${budget} of the application "${id}" is spent: it starts anew at midnight UTC.`,
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
        throw error instanceof StateStoreError ? new ApiError('spoolUnavailable', { retryAfter: RETRY_AFTER_SECONDS }) : error
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
  const usage = await Usage.open({ store: fastify.state, now: unixNow, seriesSecret: seriesSecretOf(fastify.config.ACCESS_TOKEN_SECRET_KEY) })
  fastify.decorate('usage', createUsage(fastify, usage))
  fastify.addHook('onClose', () => usage.close())
}

export default fp(usage, { name: 'usage', dependencies: ['config', 'state', 'applications', 'prometheus', 'errors'] })
