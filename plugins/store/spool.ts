import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { neededAtStart } from '../../lib/configuration/needed-at-start.js'
import { LEASE_LIMITS } from '../../lib/spool/batch-limits.js'
import { SpoolUnavailableError, type Spool, type SpoolOptions } from '../../lib/spool/spool.js'

declare module 'fastify' {
  interface FastifyInstance { spool: Spool }
}

/** The spool on the local disk: of this process, or of its primary. */
async function openLocalSpool ({ config, processes }: FastifyInstance, options: SpoolOptions): Promise<Spool> {
  if (processes.role === 'web') {
    const { RemoteSpool } = await import('../../lib/spool/remote/remote-spool.js')
    return new RemoteSpool(processes.primary, options.limits)
  }
  const { openEmbeddedSpool } = await import('../../lib/spool/embedded/embedded-spool.js')
  const spool = await openEmbeddedSpool({ ...options, dataDir: config.DATA_DIR, sync: config.SPOOL_SYNC })
  if (processes.role === 'primary') {
    const { serveSpool } = await import('../../lib/spool/remote/serve-spool.js')
    processes.web.onOpen(channel => serveSpool(channel, spool))
  }
  return spool
}

/** Only the backend that is used is loaded. */
async function openSpool (fastify: FastifyInstance, options: SpoolOptions): Promise<Spool> {
  const { config, redis, log } = fastify
  if (redis === undefined) return await openLocalSpool(fastify, options)
  const sync = config.SPOOL_SYNC
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

export default fp(spool, { name: 'spool', dependencies: ['config', 'processes', 'redis', 'applications'] })
