import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../lib/clock.js'
import { AccessTokens, isBoundElsewhere, type Principal } from '../lib/access/access-tokens.js'
import { allowsOrigin } from '../lib/access/applications.js'
import { readGrant, singleUseTtlMs, type Grant } from '../lib/access/client-tokens.js'
import { bearerOf, findToken, isMissing, NO_TOKEN, NOT_A_TOKEN, type FoundToken } from '../lib/access/token-places.js'
import { isObject } from '../lib/guards.js'
import { ApiError } from '../lib/http/api-error.js'
import { TickBatch } from '../lib/http/tick-batch.js'

declare module 'fastify' {
  interface FastifyInstance { tokens: Tokens }
  interface FastifyRequest {
    principal: Principal | null
    /** The id of the application that sends the request, as soon as it is known. */
    applicationId: string | null
  }
}

export type Tokens = ReturnType<typeof createTokens>

const RETRY_AFTER_SECONDS = 5
/** Returned, and not thrown: V8 never optimizes a function that only ever throws, and refused tokens come in floods. */
const INVALID = new ApiError('accessTokenInvalid')

/** The token in header and query, and in the body once that is read. */
function tokenOf ({ headers, query }: FastifyRequest, inBody?: unknown): FoundToken {
  return findToken(bearerOf(headers.authorization), (query as { accessToken?: unknown }).accessToken, inBody)
}

function createTokens (fastify: FastifyInstance) {
  const { config, applications, revocations, state, quotas, failures, usage, entitlement } = fastify
  // A refusal that is written by itself wakes up the client or proxy, which then sends the next request by itself.
  const refusals = new TickBatch()
  const accessTokens = new AccessTokens({
    secrets: [config.ACCESS_TOKEN_SECRET_KEY, ...config.ACCESS_TOKEN_PREVIOUS_SECRET_KEYS ?? []],
    ttlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
    now: unixNow,
    id: randomUUID
  })

  function requireOrigin (application: Principal['application'], request: FastifyRequest): void {
    const { origin } = request.headers
    if (origin !== undefined && !allowsOrigin(application, origin) && !request.isOwnOrigin()) {
      throw new ApiError('originNotAllowed')
    }
  }

  /** @throws ApiError when pages of this origin may not use the application */
  function authenticate (token: string | typeof NOT_A_TOKEN, request: FastifyRequest): Principal | ApiError {
    const claims = token === NOT_A_TOKEN ? null : accessTokens.verify(token)
    const application = claims === null ? undefined : applications.get(claims.applicationId)
    if (
      claims === null || application === undefined || revocations.hasAccessToken(claims) ||
      isBoundElsewhere(claims, request.headers.origin, application)
    ) {
      return failures.answer(request, INVALID)
    }
    requireOrigin(application, request)
    return { application, grant: claims.grant, scope: claims.scope }
  }

  /** Counts the request as soon as its principal is known. @throws ApiError */
  function admit (request: FastifyRequest, reply: FastifyReply, principal: Principal): void {
    request.applicationId = principal.application.id
    quotas.admit(principal, reply)
    usage.admit(principal.application, reply)
    request.principal = principal
  }

  /** @throws ApiError when the client token was traded before, or the store cannot tell */
  async function requireFirstUse (grant: Grant): Promise<void> {
    let isFirst
    try {
      isFirst = await state.setIfAbsent(grant.id, singleUseTtlMs(grant, unixNow()))
    } catch {
      throw new ApiError('spoolUnavailable', { retryAfter: RETRY_AFTER_SECONDS })
    }
    if (!isFirst) throw new ApiError('clientTokenInvalid')
  }

  return {
    /** @throws ApiError when the body has no client token, or none that is a string */
    requireClientToken (body: unknown): void {
      const clientToken = isObject(body) ? body.clientToken : undefined
      if (isMissing(clientToken)) throw new ApiError('clientTokenMissing')
      if (typeof clientToken !== 'string') throw new ApiError('clientTokenInvalid')
    },

    /**
     * Trades a client token for an access token of the page that asks.
     * @throws ApiError
     */
    async issue (clientToken: string, request: FastifyRequest, reply: FastifyReply): Promise<string> {
      const grant = readGrant(clientToken, applications, unixNow())
      if (grant === null || revocations.hasClientToken(grant)) throw new ApiError('clientTokenInvalid')
      const { application, scope, jti } = grant
      requireOrigin(application, request)
      request.applicationId = application.id
      quotas.admitTrade(grant, reply)
      if (config.ENTITLEMENT === 'on') await entitlement!.require(application.id)
      if (application.singleUseClientTokens) await requireFirstUse(grant)
      return accessTokens.issue({
        applicationId: application.id,
        scope,
        parent: jti,
        grant: grant.id,
        origin: request.headers.origin ?? null
      })
    },

    /** Spread into the options of a route that asks for an access token: sets `request.principal`. */
    required: {
      onRequest (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const token = tokenOf(request)
        if (token === NO_TOKEN) {
          request.expectUnauthenticatedBody(reply)
          return done()
        }
        const principal = authenticate(token, request)
        if (principal instanceof ApiError) return refusals.run(() => done(principal))
        admit(request, reply, principal)
        done()
      },
      preValidation (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const inBody = isObject(request.body) ? request.body.accessToken : undefined
        const token = isMissing(inBody) ? NO_TOKEN : tokenOf(request, inBody)
        if (token !== NO_TOKEN) {
          const principal = authenticate(token, request)
          if (principal instanceof ApiError) return done(principal)
          if (request.principal === null) admit(request, reply, principal)
        }
        if (request.principal === null) throw failures.answer(request, new ApiError('accessTokenMissing'))
        done()
      }
    }
  }
}

/**
 * Owns `fastify.tokens`, which trades client tokens for access tokens, and `request.principal`, whom an access token
 * proves.
 */
async function token (fastify: FastifyInstance): Promise<void> {
  fastify.decorateRequest('principal', null)
  fastify.decorateRequest('applicationId', null)
  fastify.decorate('tokens', createTokens(fastify))
}

export default fp(token, {
  name: 'token',
  dependencies: [
    'config', 'errors', 'body', 'applications', 'cors', 'state', 'revocations', 'rate-limit', 'failures', 'usage',
    'entitlement'
  ]
})
