import fastifyUnderPressure from '@fastify/under-pressure'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'

const RETRY_AFTER_SECONDS = 5
/** A process that cannot keep up must still be able to say that it lives. */
const EXEMPT = '/health/'

/** Owns overload: while the event loop is late, requests are refused, so that they do not all wait. */
async function underPressure (fastify: FastifyInstance): Promise<void> {
  await fastify.register(fastifyUnderPressure, {
    maxEventLoopDelay: fastify.config.MAX_EVENT_LOOP_DELAY_MS,
    pressureHandler: request => {
      if (!request.url.startsWith(EXEMPT)) throw new ApiError('overloaded', { retryAfter: RETRY_AFTER_SECONDS })
    }
  })
}

export default fp(underPressure, { name: 'under-pressure', dependencies: ['config', 'errors', 'cors'] })
