import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { connectRedis } from '../../lib/redis/connect.js'
import { readRedisUrl } from '../../lib/redis/redis-address.js'
import type { RedisClient } from '../../lib/redis/redis-client.js'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../tools/shared/redis-sentinels.js'
import type { RedisServer } from '../../tools/shared/redis.js'
import { ROOT } from '../../tools/shared/root.js'
import { redisUrl } from './app.js'
import { askServer, startServer } from './redis-server.js'
import type { Teardown } from './teardown.js'

const PASSWORD = 'password-of-the-gateway'

/** What docs/operations.md says in this place about the user of the gateway. */
function documented (place: RegExp): string[] {
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  return place.exec(page)![1]!.replaceAll('cloudwatch-postman', '*').split(' ')
}

/** The rules that are enough, for keys of any prefix. */
const RULES = documented(/^ACL SETUSER gateway on >PASSWORD (.+)$/m)
/** The rules that SPOOL_SYNC=always needs besides. */
const RULES_OF_ALWAYS = documented(/`SPOOL_SYNC=always` needs `([^`]+)`/)

/**
 * Gives each of these servers a user who may do no more than the gateway needs: they refuse INFO, WAIT and CONFIG, as
 * managed servers may, unless `always` says that SPOOL_SYNC=always needs them.
 * @returns the URL with the name of that user
 */
export async function restrict (url: string, servers: RedisServer[], { always = false } = {}): Promise<string> {
  await Promise.all(servers.map(server => askServer(server, async redis => {
    await redis.call('ACL', 'SETUSER', 'gateway', 'on', `>${PASSWORD}`, ...RULES)
    for (const rule of always ? RULES_OF_ALWAYS : []) {
      // Servers of before 7.2 have no WAITAOF.
      await redis.call('ACL', 'SETUSER', 'gateway', rule).catch((error: Error) => {
        if (rule !== '+waitaof') throw error
      })
    }
  })))
  return url.replace('://', `://gateway:${PASSWORD}@`)
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
  async 'a node that refuses INFO, WAIT and CONFIG' (t: Teardown) {
    const server = await startServer(t)
    return await restrict(server.url, [server])
  }
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
