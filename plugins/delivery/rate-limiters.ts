import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow } from '../../lib/clock.js'
import { API_TPS, type RateLimitedApi } from '../../schemas/aws-limits.js'
import { LocalRateLimiter, type RateLimiter } from '../../lib/resilience/rate-limiter.js'
import { RemoteRateLimiter, serveRateLimiters } from '../../lib/resilience/remote-rate-limiter.js'
import { RedisRateLimiter } from '../../lib/resilience/redis-rate-limiter.js'

declare module 'fastify' {
  interface FastifyInstance { rateLimiters: Record<RateLimitedApi, RateLimiter> }
}

/** Owns `fastify.rateLimiters`: how fast each API may be called, shared by all processes of a primary or of a Redis. */
async function rateLimiters (fastify: FastifyInstance): Promise<void> {
  const { processes, redis, config } = fastify
  const now = monotonicNow
  const createLimiter = (api: string, cap: number): RateLimiter => {
    const key = `${config.REDIS_PREFIX}:pace:${config.AWS_REGION}:${api}`
    if (redis !== undefined) return new RedisRateLimiter({ redis, cap, now, key })
    return processes.role === 'web' ? new RemoteRateLimiter(processes.primary, api) : new LocalRateLimiter({ cap, now })
  }
  const entries = Object.entries(API_TPS).map(([api, cap]) => [api, createLimiter(api, cap)])
  const limiters = Object.fromEntries(entries) as Record<RateLimitedApi, RateLimiter>
  fastify.decorate('rateLimiters', limiters)
  if (processes.role === 'primary') processes.web.onOpen(channel => serveRateLimiters(channel, limiters))
}

export default fp(rateLimiters, { name: 'rate-limiters', dependencies: ['config', 'processes', 'redis'] })
