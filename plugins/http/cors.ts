import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import { ALLOWED_HEADERS, EXPOSED_HEADERS } from '../../lib/http/cors.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * A proxy or a service asks, not a page: an Origin header is that of another request; no limit for one IP holds.
     */
    forServers?: boolean
    /** The route is not for pages: its answers have no CORS headers. */
    cors?: false
  }
  interface FastifyRequest {
    /** Whether the page that asks is one of the gateway's own: its documentation, which calls every route. */
    isOwnOrigin: () => boolean
  }
}

const MAX_AGE_SECONDS = 86_400

/**
 * Owns the CORS headers of every answer of the routes for pages, errors and 404s included, and `request.isOwnOrigin`.
 * Pages of an origin that no application allows are refused. A preflight does not name the application, so the token of
 * the request that follows decides which pages may use it.
 */
async function cors (fastify: FastifyInstance): Promise<void> {
  const { applications, config: { APPS_FILE, PUBLIC_ORIGIN } } = fastify
  // Applications of a file may change; without one an answer for any origin does not vary by it.
  const isForAll = APPS_FILE === undefined && applications.anyOrigin

  function originOf (origin: string | undefined): string | false {
    if (applications.anyOrigin) return '*'
    return origin !== undefined && applications.allowsOrigin(origin) && origin
  }

  fastify.decorateRequest('isOwnOrigin', function isOwnOrigin () {
    return PUBLIC_ORIGIN !== undefined && this.headers.origin === PUBLIC_ORIGIN
  })
  await fastify.register(fastifyCors, {
    origin: isForAll ? '*' : (origin, done) => done(null, originOf(origin)),
    methods: ['GET', 'POST'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: MAX_AGE_SECONDS,
    // An OPTIONS that is no preflight is answered like one; the plugin's own refusal would be plain text.
    strictPreflight: false
  })

  fastify.addHook('onRequest', (request, _reply, done) => {
    const { headers: { origin }, routeOptions: { config } } = request
    const isRefused = origin !== undefined && originOf(origin) === false && !request.is404 &&
      config.forServers !== true && !request.isOwnOrigin()
    done(isRefused ? new ApiError('originNotAllowed') : undefined)
  })
}

export default fp(cors, { name: 'cors', dependencies: ['config', 'errors', 'applications'] })
