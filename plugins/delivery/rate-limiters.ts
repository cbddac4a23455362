import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { API_TPS, type PacedApi } from '../../schemas/aws-limits.js'
import { LocalPace, type Pace } from '../../lib/resilience/rate-limiter.js'
import { RedisPace } from '../../lib/resilience/redis-rate-limiter.js'

declare module 'fastify' {
  interface FastifyInstance { pace: Record<PacedApi, Pace> }
}

/** Owns `fastify.pace`: how fast each API may be called, shared by all processes when they share a Redis. */
async function pace (fastify: FastifyInstance): Promise<void> {
  const { redis, config } = fastify
  const now = Date.now
  const paces = Object.entries(API_TPS).map(([api, cap]): [string, Pace] => [api, redis === undefined
    ? new LocalPace({ cap, now })
    : new RedisPace({ redis, cap, now, key: `${config.REDIS_PREFIX}:pace:${config.AWS_REGION}:${api}` })])
  fastify.decorate('pace', Object.fromEntries(paces) as Record<PacedApi, Pace>)
}

export default fp(pace, { name: 'rate-limiters', dependencies: ['config', 'redis'] })
