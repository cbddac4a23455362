import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../lib/errors.js'

/** Limits what one IP may ask for in a minute, over all processes when they share a Redis. */
async function rateLimit (fastify: FastifyInstance): Promise<void> {
  const { RATE_LIMIT_PER_MINUTE, REDIS_PREFIX } = fastify.config
  await fastify.register(fastifyRateLimit, {
    global: RATE_LIMIT_PER_MINUTE > 0,
    max: RATE_LIMIT_PER_MINUTE,
    timeWindow: '1 minute',
    nameSpace: `${REDIS_PREFIX}:rate-limit:`,
    // A Redis that is away must not close the door; what needs it answers 503 by itself.
    skipOnError: true,
    ...(fastify.redis === undefined ? {} : { redis: fastify.redis }),
    errorResponseBuilder: (_request, { ttl }) => new ApiError('tooManyRequests', { retryAfter: Math.ceil(ttl / 1000) })
  })
}

export default fp(rateLimit, { name: 'rate-limit', dependencies: ['config', 'redis', 'errors'] })
