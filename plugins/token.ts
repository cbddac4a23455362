import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../lib/errors.js'
import { isObject } from '../lib/text.js'
import { AccessTokens, verifyClientToken, type Identity } from '../lib/token.js'

declare module 'fastify' {
  interface FastifyInstance { tokens: Tokens }
  interface FastifyRequest { identity: Identity | null }
}

export type Tokens = ReturnType<typeof createTokens>

/** The one application of a gateway that is configured with CLIENT_SECRET_KEY. */
const APPLICATION = 'default'
const BEARER = /^Bearer +([^ ]+)$/i

function isMissing (token: unknown): boolean {
  return token === undefined || token === null || token === ''
}

/** The tokens in header and query; they are known before the body is read. */
function tokensOutsideBody (request: FastifyRequest): unknown[] {
  const { authorization } = request.headers
  const bearer = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1] ?? authorization
  const { accessToken } = request.query as { accessToken?: unknown }
  return accessToken === undefined ? [bearer] : [bearer, accessToken]
}

function createTokens (options: { clientSecret: string, accessSecret: string, ttlSeconds: number, now?: () => number }) {
  const now = options.now ?? Date.now
  const accessTokens = new AccessTokens({ secret: options.accessSecret, ttlSeconds: options.ttlSeconds, now, id: randomUUID })

  function identify (given: unknown[]): Identity | null {
    const tokens = given.filter(token => !isMissing(token))
    if (tokens.length === 0) return null
    const [token] = tokens
    const identity = typeof token === 'string' && tokens.every(other => other === token) ? accessTokens.verify(token) : null
    if (identity === null) throw new ApiError('accessTokenInvalid')
    return identity
  }

  return {
    /** @throws ApiError when the body has no client token, or none that is a string */
    requireClientToken (body: unknown): void {
      const clientToken = isObject(body) ? body.clientToken : undefined
      if (isMissing(clientToken)) throw new ApiError('clientTokenMissing')
      if (typeof clientToken !== 'string') throw new ApiError('clientTokenInvalid')
    },

    /**
     * Trades a client token for an access token.
     * @throws ApiError
     */
    issue (clientToken: string): string {
      if (!verifyClientToken(clientToken, options.clientSecret, now())) throw new ApiError('clientTokenInvalid')
      return accessTokens.issue(APPLICATION)
    },

    /** Spread into the options of a route that asks for an access token: sets `request.identity`. */
    required: {
      onRequest (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
        request.identity = identify(tokensOutsideBody(request))
        done()
      },
      preValidation (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
        const accessToken = isObject(request.body) ? request.body.accessToken : undefined
        if (!isMissing(accessToken)) request.identity = identify([...tokensOutsideBody(request), accessToken])
        if (request.identity === null) throw new ApiError('accessTokenMissing')
        done()
      }
    }
  }
}

/** Owns `fastify.tokens`: who may call. */
async function token (fastify: FastifyInstance): Promise<void> {
  const { CLIENT_SECRET_KEY, ACCESS_TOKEN_SECRET_KEY, ACCESS_TOKEN_TTL_SECONDS } = fastify.config
  fastify.decorateRequest('identity', null)
  fastify.decorate('tokens', createTokens({
    clientSecret: CLIENT_SECRET_KEY,
    accessSecret: ACCESS_TOKEN_SECRET_KEY,
    ttlSeconds: ACCESS_TOKEN_TTL_SECONDS
  }))
}

export default fp(token, { name: 'token', dependencies: ['config', 'errors'] })
