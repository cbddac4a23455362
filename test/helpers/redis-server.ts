import { Redis } from 'ioredis'
import { startRedis, type RedisOptions, type RedisServer } from '../../tools/shared/redis.js'
import type { Teardown } from './teardown.js'

/** Starts a Redis of its own for a test. */
export async function startServer (t: Teardown, options?: RedisOptions): Promise<RedisServer> {
  const server = await startRedis(options)
  t.teardown(() => server.stop())
  return server
}

/** Asks a server on a connection that is closed afterwards. */
export async function askServer<T> (
  { url }: Pick<RedisServer, 'url'>, question: (redis: Redis) => Promise<T>
): Promise<T> {
  const redis = new Redis(url)
  try {
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}
