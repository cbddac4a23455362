import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { connectRedis } from '../../lib/redis/connect.js'
import { readRedisUrl } from '../../lib/redis/redis-address.js'
import type { RedisClient } from '../../lib/redis/redis-client.js'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../tools/shared/redis-sentinels.js'
import { startRedis } from '../../tools/shared/redis.js'
import { ROOT } from '../../tools/shared/root.js'
import { redisUrl } from './app.js'
import type { Teardown } from './teardown.js'

const PASSWORD = 'password-of-the-gateway'

/** The rules of the user that docs/operations.md says are enough, for keys of any prefix. */
function documentedRules (): string[] {
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const line = /^ACL SETUSER gateway on >PASSWORD (.+)$/m.exec(page)![1]!
  return line.replaceAll('cloudwatch-postman', '*').split(' ')
}

/**
 * A node whose user may do no more than the gateway needs: it refuses INFO, WAIT and CONFIG, as managed servers may.
 */
export async function startRestrictedRedis (t: Teardown): Promise<string> {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const operator = new Redis(server.url)
  await operator.call('ACL', 'SETUSER', 'gateway', 'on', `>${PASSWORD}`, ...documentedRules())
  operator.disconnect()
  return server.url.replace('://', `://gateway:${PASSWORD}@`)
}

/** Each form in which Redis is run, by what starts it for one test file. @returns its REDIS_URL */
export const REDIS_FORMS = {
  'one node': redisUrl,
  async 'a cluster of three' (t: Teardown) {
    const cluster = await startRedisCluster()
    t.teardown(() => cluster.stop())
    return cluster.url
  },
  async Sentinel (t: Teardown) {
    const sentinels = await startRedisSentinels({ sentinels: 1, replicas: 0 })
    t.teardown(() => sentinels.stop())
    return sentinels.url
  },
  'a node that refuses INFO, WAIT and CONFIG': startRestrictedRedis
} satisfies Record<string, (t: Teardown) => Promise<string>>
export type RedisForm = keyof typeof REDIS_FORMS

/** Connects as the gateway does. */
export async function connectTo (
  t: Teardown, url: string, onWarning: (message: string) => void = () => {}
): Promise<RedisClient> {
  const redis = await connectRedis(readRedisUrl(url)!, { onWarning })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

/** What the operator is told of an address that is refused. */
export async function refusalOf (url: string, sentinelPassword?: string): Promise<string> {
  const redis = await connectRedis(readRedisUrl(url)!, { sentinelPassword, onWarning: () => {} })
    .catch((error: Error) => error)
  if (redis instanceof ConfigurationError) return redis.message
  if (redis instanceof Error) throw redis
  redis.disconnect()
  throw new Error(`${url} was not refused`)
}
