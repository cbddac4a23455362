import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow } from '../../lib/clock.js'
import { API_TPS, type RateLimitedApi } from '../../schemas/aws-limits.js'
import { LocalRateLimiter, type RateLimiter } from '../../lib/resilience/rate-limiter.js'
import { RedisRateLimiter } from '../../lib/resilience/redis-rate-limiter.js'

declare module 'fastify' {
  interface FastifyInstance { rateLimiters: Record<RateLimitedApi, RateLimiter> }
}

/** Owns `fastify.rateLimiters`: how fast each API may be called, shared by all processes when they share a Redis. */
async function rateLimiters (fastify: FastifyInstance): Promise<void> {
  const { redis, config } = fastify
  const now = monotonicNow
  const limiters = Object.entries(API_TPS).map(([api, cap]): [string, RateLimiter] => [api, redis === undefined
    ? new LocalRateLimiter({ cap, now })
    : new RedisRateLimiter({ redis, cap, now, key: `${config.REDIS_PREFIX}:pace:${config.AWS_REGION}:${api}` })])
  fastify.decorate('rateLimiters', Object.fromEntries(limiters) as Record<RateLimitedApi, RateLimiter>)
}

export default fp(rateLimiters, { name: 'rate-limiters', dependencies: ['config', 'redis'] })
