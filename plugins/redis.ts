import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Redis } from 'ioredis'
import { ConfigurationError } from '../lib/configuration/configuration-error.js'

const CONNECT_TIMEOUT_MS = 5_000
/** How often a Redis that still reads its file is asked whether it is done; its own estimate is seconds too long. */
const LOADING_RETRY_MS = 250
/** The longest that QUIT may take; a server that is away or hangs is left without. */
const QUIT_MS = 1_000
/** The errors of a server that is no longer the primary; the address leads to the new primary. */
const NO_PRIMARY = /READONLY|MASTERDOWN/

/** The address of the server, without its password. */
function address (url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}

/** @throws ConfigurationError when the server cannot be reached, refuses the password, or has no such database */
async function connect (url: string, strikeSecrets: (text: string) => string): Promise<Redis> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    reconnectOnError: error => NO_PRIMARY.test(error.message),
    // A request is answered 503 at once when Redis is away, and a command that was under way is never sent twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0
  })
  let cause: Error | null = null
  redis.on('error', error => { cause = error })
  const { db = 0 } = redis.options
  try {
    await redis.connect()
    // The client itself stays with the database 0, and says nothing, when the server has no other.
    if (db > 0) await redis.select(db)
  } catch (error) {
    redis.disconnect()
    throw new ConfigurationError(`Redis at ${address(url)} cannot be used: ${strikeSecrets(((cause ?? error) as Error).message)}. Start it, or mend REDIS_URL, or unset REDIS_URL for the embedded spool.`)
  }
  redis.removeAllListeners('error')
  return redis
}

async function disconnect (redis: Redis): Promise<void> {
  await Promise.race([redis.quit().catch(() => {}), sleep(QUIT_MS, undefined, { ref: false })])
  redis.disconnect()
}

/** Owns `fastify.redis`, the one connection that everything shares; it exists when REDIS_URL is set. */
async function redis (fastify: FastifyInstance): Promise<void> {
  const { REDIS_URL } = fastify.config
  if (REDIS_URL === undefined) return
  // Loaded here, as it is of no use without Redis.
  const [client, { default: fastifyRedis }] = await Promise.all([connect(REDIS_URL, fastify.strikeSecrets), import('@fastify/redis')])
  let away = false
  client.on('error', error => {
    if (!away) fastify.log.error({ err: error }, 'Redis is away')
    away = true
  })
  client.on('ready', () => {
    if (away) fastify.log.info('Redis is back')
    away = false
  })
  await fastify.register(fastifyRedis, { client })
  fastify.addHook('onClose', () => disconnect(client))
}

export default fp(redis, { name: 'redis', dependencies: ['config', 'secrets'] })
