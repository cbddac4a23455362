import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { PUT_LOG_EVENTS } from '../../schemas/aws-limits.js'
import type { BatchLimits, Spool, SpoolOptions } from '../../lib/spool/spool.js'
import type { Kind } from '../../schemas/kinds.js'

declare module 'fastify' {
  interface FastifyInstance { spool: Spool }
}

export const LEASE_LIMITS: Record<Kind, BatchLimits> = {
  logs: { items: PUT_LOG_EVENTS.MAX_EVENTS, bytes: PUT_LOG_EVENTS.MAX_BYTES },
  // Many data points make one datum, so a lease holds more than a call; bounded by what a process may hold in memory.
  metrics: { items: 20_000, bytes: 3 * 1_048_576 },
  metering: { items: 500, bytes: 1_048_576 }
}

/** Only the backend that is used is loaded. */
async function openSpool ({ config, redis }: FastifyInstance, options: SpoolOptions): Promise<Spool> {
  const sync = config.SPOOL_SYNC
  if (redis === undefined) {
    const { openLmdbSpool } = await import('../../lib/spool/embedded/embedded-spool.js')
    return await openLmdbSpool({ ...options, dataDir: config.DATA_DIR, sync })
  }
  const { openRedisSpool } = await import('../../lib/spool/redis/redis-spool.js')
  return await openRedisSpool({ ...options, redis, prefix: config.REDIS_PREFIX, shards: config.REDIS_SHARDS, sync })
}

/** Owns `fastify.spool`: where accepted items wait, in Redis when there is one, else on the local disk. */
async function spool (fastify: FastifyInstance): Promise<void> {
  const { config } = fastify
  const options: SpoolOptions = {
    lingerMs: config.FLUSH_INTERVAL_MS,
    leaseMs: config.LEASE_MS,
    maxBytes: config.SPOOL_MAX_BYTES,
    limits: LEASE_LIMITS,
    deadLetterMaxAgeMs: config.DEAD_LETTER_MAX_AGE_MS,
    deadLetterMaxBytes: config.DEAD_LETTER_MAX_BYTES
  }
  const spool = await openSpool(fastify, options)
  fastify.decorate('spool', spool)
  fastify.addHook('onClose', () => spool.close())
}

export default fp(spool, { name: 'spool', dependencies: ['config', 'redis'] })
