import fastifyCors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A proxy or a service asks, not a page: an Origin header is that of somebody else's request, and no limit for one IP holds. */
    forServers?: boolean
  }
  interface FastifyRequest { isOwnOrigin: () => boolean }
}

const MAX_AGE_SECONDS = 86_400
const EXPOSED_HEADERS = ['Retry-After', 'Preference-Applied', 'Idempotency-Replayed', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'X-Budget-Warning'].join(', ')

/** Whether the page that asks is the gateway's own: that of its documentation. */
function isOwnOrigin (this: FastifyRequest): boolean {
  const { origin } = this.headers
  return origin !== undefined && this.host !== '' && origin.slice(origin.indexOf('://') + 3) === this.host
}

/**
 * Lets pages of the origins that any application allows call, and read every answer, errors included; refuses others.
 * A preflight tells nothing of the application, so what the very application allows is for its token to say.
 *
 * The library answers preflights; on every other request it would cost more than to look the token up.
 */
async function cors (fastify: FastifyInstance): Promise<void> {
  const { applications } = fastify
  fastify.decorateRequest('isOwnOrigin', isOwnOrigin)
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers
    const allowed = origin === undefined ? applications.anyOrigin : applications.allowsOrigin(origin)
    if (applications.anyOrigin) reply.header('access-control-allow-origin', '*')
    else {
      reply.header('vary', 'Origin')
      if (allowed) reply.header('access-control-allow-origin', origin)
    }
    reply.header('access-control-expose-headers', EXPOSED_HEADERS)
    if (origin !== undefined && !allowed && !request.is404 && request.routeOptions.config.forServers !== true && !request.isOwnOrigin()) throw new ApiError('originNotAllowed')
    done()
  })

  await fastify.register(async preflights => {
    await preflights.register(fastifyCors, {
      origin: (origin, done) => {
        if (applications.anyOrigin) done(null, '*')
        else done(null, origin !== undefined && applications.allowsOrigin(origin) ? origin : false)
      },
      methods: ['GET', 'POST'],
      allowedHeaders: ['Authorization', 'Content-Type', 'Content-Encoding', 'Idempotency-Key', 'Prefer'],
      maxAge: MAX_AGE_SECONDS,
      // An OPTIONS that is no preflight is answered like one; the plugin's own refusal would be plain text.
      strictPreflight: false
    })
  })
}

export default fp(cors, { name: 'cors', dependencies: ['errors', 'applications'] })
