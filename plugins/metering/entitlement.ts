import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import { ApiError } from '../../lib/http/api-error.js'
import { createEntitlement, type Decision } from '../../lib/metering/entitlement.js'
import { storedVerdicts } from '../../lib/metering/stored-verdicts.js'
import type { Platform } from '../../lib/metering/platform.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Null without a metering platform. */
    entitlement: ReturnType<typeof createQuestions> | null
  }
}

const RETRY_AFTER_SECONDS = 5

function createQuestions (fastify: FastifyInstance, platform: Platform) {
  const { config, log, state, prometheus, strikeSecrets } = fastify
  const header = config.CLIENT_ID_HEADER.toLowerCase()
  const decisions = prometheus.counter({
    name: 'entitlement_decisions_total',
    help: 'Decisions whether a client may call, by verdict and basis.',
    labelNames: ['verdict', 'basis']
  })
  const entitlement = createEntitlement({
    platform,
    failMode: config.FAIL_MODE,
    now: unixNow,
    monotonicNow,
    ages: {
      entitledMs: config.VERDICT_TTL_SECONDS * 1_000,
      deniedMs: config.DENIED_TTL_SECONDS * 1_000,
      staleMs: config.STALE_SECONDS * 1_000,
      staleIfErrorMs: config.STALE_IF_ERROR_SECONDS * 1_000
    },
    // One process alone remembers by itself.
    store: state.shared ? storedVerdicts(state, config.STALE_IF_ERROR_SECONDS * 1_000) : undefined,
    onUnknown (failure) {
      const denied = failure.class === 'denied'
      log[denied ? 'error' : 'warn'](
        { class: failure.class, reason: strikeSecrets(failure.message) },
        denied
          ? 'the metering platform refuses this gateway: check its key and its address'
          : 'the metering platform gives no verdict'
      )
    },
    onStoreError: error => log.warn({ err: error }, 'verdicts cannot be shared now')
  })

  async function check (clientId: string | undefined): Promise<Decision> {
    const decision = await entitlement.check(clientId)
    decisions.inc({ verdict: decision.verdict, basis: decision.basis })
    return decision
  }

  /** Absent when there is none, or more than one: nobody can tell which of them the proxy and its backend go by. */
  function clientIdOf ({ raw }: FastifyRequest): string | undefined {
    const ids = new Set(raw.headersDistinct[header])
    return ids.size === 1 ? ids.values().next().value : undefined
  }

  return {
    /**
     * Spread into the options of a route that says whether a client may call. It answers before any byte of a body is
     * read: the body is that of the proxied call, and may not even come.
     */
    answering: {
      async onRequest (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
        const { allowed, verdict } = await check(clientIdOf(request))
        reply.headers({ 'X-Entitlement': verdict, 'Cache-Control': 'no-store' })
        if (!allowed) throw new ApiError('clientNotEntitled')
        return reply.send({ entitlement: verdict })
      },
      // onRequest has answered.
      handler () {}
    },

    /** @throws ApiError unless this application may have tokens */
    async require (application: string): Promise<void> {
      const { allowed, verdict } = await check(application)
      if (allowed) return
      throw verdict === 'denied'
        ? new ApiError('entitlementDenied')
        : new ApiError('entitlementUnknown', { retryAfter: RETRY_AFTER_SECONDS })
    }
  }
}

/** Owns `fastify.entitlement`: the metering platform's verdicts about clients and applications. */
async function entitlement (fastify: FastifyInstance): Promise<void> {
  const { platform } = fastify
  fastify.decorate('entitlement', platform === null ? null : createQuestions(fastify, platform.entitlement))
}

export default fp(entitlement, {
  name: 'entitlement', dependencies: ['config', 'platform', 'state', 'prometheus', 'errors', 'secrets']
})
