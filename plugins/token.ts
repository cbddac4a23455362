import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { allowsOrigin } from '../lib/access/applications.js'
import { readGrant, type Grant } from '../lib/access/client-tokens.js'
import { TickBatch } from '../lib/http/tick-batch.js'
import { ApiError } from '../lib/http/api-error.js'
import { isObject } from '../lib/guards.js'
import { AccessTokens, type AccessClaims, type Principal } from '../lib/access/access-tokens.js'
import { CLIENT_TOKEN_MAX_FUTURE_MS } from '../lib/access/legacy-client-token.js'

declare module 'fastify' {
  interface FastifyInstance { tokens: Tokens }
  interface FastifyRequest {
    principal: Principal | null
    /** Id of the application that calls, as soon as it is known. */
    applicationId: string | null
  }
}

export type Tokens = ReturnType<typeof createTokens>

const BEARER = /^Bearer +([^ ]+)$/i
/** What browsers send for a page whose origin they hide. */
const HIDDEN_ORIGIN = 'null'
const RETRY_AFTER_SECONDS = 5

function isMissing (token: unknown): boolean {
  return token === undefined || token === null || token === ''
}

/** What stands behind "Bearer", else the whole header, which is no token. */
function bearerOf (authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1] ?? authorization
}

/** Given instead of a token where two places name two. */
const TWO_TOKENS = Symbol('two tokens')
/** Returned, and not thrown: V8 never optimizes a function that only ever throws, and a flood of refused tokens would pay for it. */
const INVALID = new ApiError('accessTokenInvalid')

/** Of two places that may hold the token: that of either, when they do not differ. */
function sameToken (one: unknown, other: unknown): unknown {
  if (isMissing(other)) return one
  return isMissing(one) || one === other ? other : TWO_TOKENS
}

/** The token in header and query; it is known before the body is read. */
function tokenOutsideBody ({ headers, query }: FastifyRequest): unknown {
  return sameToken(bearerOf(headers.authorization), (query as { accessToken?: unknown }).accessToken)
}

/** A token of a page is that page's alone; an application may let pages through whose browser hides where they are from. */
function isBoundElsewhere ({ origin: bound }: AccessClaims, origin: string | undefined, { allowedOrigins }: Principal['application']): boolean {
  if (bound === null || bound === origin) return false
  return !(origin === HIDDEN_ORIGIN && allowedOrigins.includes(HIDDEN_ORIGIN))
}

function createTokens (fastify: FastifyInstance) {
  const { config, applications, revocations, state, quotas, usage, entitlement } = fastify
  // Each answer that is written by itself wakes up the client or proxy, which then sends the next by itself.
  const endOfTurn = new TickBatch()
  const accessTokens = new AccessTokens({
    secrets: [config.ACCESS_TOKEN_SECRET_KEY, ...config.ACCESS_TOKEN_PREVIOUS_SECRET_KEYS ?? []],
    ttlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
    now: Date.now,
    id: randomUUID
  })

  function toIdentity (token: string, request: FastifyRequest): Principal | ApiError {
    const claims = accessTokens.verify(token)
    const application = claims === null ? undefined : applications.get(claims.application)
    const { origin } = request.headers
    if (claims === null || application === undefined || revocations.hasAccessToken(claims) || isBoundElsewhere(claims, origin, application)) return INVALID
    requireOrigin(application, request)
    return { application, jti: claims.jti, scope: claims.scope }
  }

  function requireOrigin (application: Principal['application'], request: FastifyRequest): void {
    const { origin } = request.headers
    if (origin !== undefined && !allowsOrigin(application, origin) && !request.isOwnOrigin()) throw new ApiError('originNotAllowed')
  }

  /** Null when none is given. @throws ApiError when pages of this origin may not use the application */
  function identify (token: unknown, request: FastifyRequest): Principal | ApiError | null {
    if (isMissing(token)) return null
    return typeof token === 'string' ? toIdentity(token, request) : INVALID
  }

  /** Counts the request as soon as it is known whose it is. @throws ApiError */
  function admit (request: FastifyRequest, reply: FastifyReply, identity: Principal): void {
    request.applicationId = identity.application.id
    quotas.admit(identity, reply)
    usage.admit(identity.application, reply)
    request.principal = identity
  }

  /** @throws ApiError when the token was traded before, or nobody can say */
  async function claim ({ id, expiresAt }: Grant): Promise<void> {
    let isFirst
    try {
      isFirst = await state.setIfAbsent(id, expiresAt - Date.now() + CLIENT_TOKEN_MAX_FUTURE_MS)
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
    async issue (clientToken: string, request: FastifyRequest): Promise<string> {
      const grant = readGrant(clientToken, applications, Date.now())
      if (grant === null || revocations.hasClientToken(grant)) throw new ApiError('clientTokenInvalid')
      const { application, scope, jti } = grant
      requireOrigin(application, request)
      request.applicationId = application.id
      if (config.ENTITLEMENT === 'on') await entitlement!.require(application.id)
      if (application.singleUseClientTokens) await claim(grant)
      return accessTokens.issue({ application: application.id, scope, parent: jti, origin: request.headers.origin ?? null })
    },

    /** Spread into the options of a route that asks for an access token: sets `request.principal`. */
    required: {
      onRequest (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const identity = identify(tokenOutsideBody(request), request)
        if (identity instanceof ApiError) return endOfTurn.run(() => done(identity))
        if (identity !== null) admit(request, reply, identity)
        done()
      },
      preValidation (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const accessToken = isObject(request.body) ? request.body.accessToken : undefined
        if (!isMissing(accessToken)) {
          const identity = identify(sameToken(tokenOutsideBody(request), accessToken), request)!
          if (identity instanceof ApiError) return done(identity)
          if (request.principal === null) admit(request, reply, identity)
        }
        if (request.principal === null) throw new ApiError('accessTokenMissing')
        done()
      }
    }
  }
}

/** Owns `fastify.tokens`: who may call. */
async function token (fastify: FastifyInstance): Promise<void> {
  fastify.decorateRequest('principal', null)
  fastify.decorateRequest('applicationId', null)
  fastify.decorate('tokens', createTokens(fastify))
}

export default fp(token, { name: 'token', dependencies: ['config', 'errors', 'applications', 'cors', 'state', 'revocations', 'rate-limit', 'usage', 'entitlement'] })
