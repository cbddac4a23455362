import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { neededAtStart } from '../../lib/configuration/needed-at-start.js'
import { LEASE_LIMITS } from '../../lib/spool/batch-limits.js'
import { SpoolUnavailableError, type Spool, type SpoolOptions } from '../../lib/spool/spool.js'

declare module 'fastify' {
  interface FastifyInstance { spool: Spool }
}

/** Only the backend that is used is loaded. */
async function openSpool ({ config, redis, log }: FastifyInstance, options: SpoolOptions): Promise<Spool> {
  const sync = config.SPOOL_SYNC
  if (redis === undefined) {
    const { openEmbeddedSpool } = await import('../../lib/spool/embedded/embedded-spool.js')
    return await openEmbeddedSpool({ ...options, dataDir: config.DATA_DIR, sync })
  }
  const { openRedisSpool } = await import('../../lib/spool/redis/redis-spool.js')
  const opening = openRedisSpool({
    ...options,
    redis,
    prefix: config.REDIS_PREFIX,
    shards: config.REDIS_SHARDS,
    sync,
    onWarning: message => log.warn(message)
  })
  return await neededAtStart(opening, SpoolUnavailableError)
}

/** Owns `fastify.spool`: where accepted items wait, in Redis when there is one, else on the local disk. */
async function spool (fastify: FastifyInstance): Promise<void> {
  const { applications, config } = fastify
  const options: SpoolOptions = {
    lingerMs: config.FLUSH_INTERVAL_MS,
    leaseMs: config.LEASE_MS,
    maxBytes: config.SPOOL_MAX_BYTES,
    isShared: () => applications.count > 1,
    limits: LEASE_LIMITS,
    deadLetterMaxAgeMs: config.DEAD_LETTER_MAX_AGE_MS,
    deadLetterMaxBytes: config.DEAD_LETTER_MAX_BYTES
  }
  const spool = await openSpool(fastify, options)
  fastify.decorate('spool', spool)
  fastify.addHook('onClose', () => spool.close())
}

export default fp(spool, { name: 'spool', dependencies: ['config', 'redis', 'applications'] })
