import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow } from '../lib/clock.js'
import { readRedisUrl } from '../lib/redis/redis-address.js'
import type { RedisClient } from '../lib/redis/redis-client.js'
import type { MonotonicMs } from '../schemas/common.js'

/** A node of a cluster that cannot be reached is told of again after this time. */
const TELL_AGAIN_MS = 60_000

/** Says when Redis, or a node of a cluster, is away. */
function tellOfOutages ({ log }: FastifyInstance, client: RedisClient): void {
  let away = false
  client.on('error', (error: Error) => {
    if (!away) log.error({ err: error }, 'Redis is away')
    away = true
  })
  client.on('ready', () => {
    if (away) log.info('Redis is back')
    away = false
  })
  const toldAt = new Map<string, MonotonicMs>()
  client.on('node error', (error: Error, node: string) => {
    if (monotonicNow() - (toldAt.get(node) ?? -Infinity) < TELL_AGAIN_MS) return
    toldAt.set(node, monotonicNow())
    log.error({ err: error, node }, 'a node of Redis is away')
  })
}

/** Owns `fastify.redis`, the one connection that everything shares; it exists when REDIS_URL is set. */
async function redis (fastify: FastifyInstance): Promise<void> {
  const { REDIS_URL, REDIS_SENTINEL_PASSWORD: sentinelPassword } = fastify.config
  if (REDIS_URL === undefined) return
  // Loaded here, as it is of no use without Redis.
  const { connectRedis, disconnectRedis } = await import('../lib/redis/connect.js')
  const { default: fastifyRedis } = await import('@fastify/redis')
  const client = await connectRedis(readRedisUrl(REDIS_URL)!, {
    sentinelPassword, strikeSecrets: fastify.strikeSecrets, onWarning: message => fastify.log.warn(message)
  })
  tellOfOutages(fastify, client)
  await fastify.register(fastifyRedis, { client })
  fastify.addHook('onClose', () => disconnectRedis(client))
}

export default fp(redis, { name: 'redis', dependencies: ['config', 'secrets'] })
