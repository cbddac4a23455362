import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'

/** Room for an access token of the largest size, and more. */
const MAX_URL_LENGTH = 8_192

/**
 * What matters for answers of an API: no browser guesses at their type, and a page that isolates itself may still send.
 * All of helmet would cost every request more than its routing; it guards the pages of the documentation.
 */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'cross-origin'
}

/** Owns what holds for every request before its route does: how long it may take to come, and headers of every answer. */
async function serverLimits (fastify: FastifyInstance): Promise<void> {
  const { server, config } = fastify
  server.headersTimeout = config.HEADERS_TIMEOUT_MS
  server.requestTimeout = config.REQUEST_TIMEOUT_MS
  server.keepAliveTimeout = config.KEEP_ALIVE_TIMEOUT_MS
  server.setTimeout(config.CONNECTION_TIMEOUT_MS)
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS)
    if (request.raw.url!.length > MAX_URL_LENGTH) throw new ApiError('urlTooLong')
    done()
  })
}

export default fp(serverLimits, { name: 'server-limits', dependencies: ['config', 'errors', 'cors'] })
