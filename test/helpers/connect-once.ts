/**
 * Run as a process of its own, in which NODE_EXTRA_CA_CERTS counts: connects to the Redis of its argument, and prints
 * what it is, or why not.
 */
import { connectRedis, disconnectRedis } from '../../lib/redis/connect.js'
import { readRedisUrl } from '../../lib/redis/redis-address.js'

try {
  const redis = await connectRedis(readRedisUrl(process.argv[2]!)!, { onWarning: () => {} })
  redis.on('error', () => {})
  await redis.set('key', 'value')
  console.log(redis.isCluster ? 'a cluster' : 'a node', await redis.get('key'))
  await disconnectRedis(redis)
} catch (error) {
  console.log((error as Error).message)
}
