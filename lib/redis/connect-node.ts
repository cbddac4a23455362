import type { Redis } from 'ioredis'
import { connectCluster } from './connect-cluster.js'
import { connectPrimary } from './primary-client.js'
import type { RedisAddress } from './redis-address.js'
import type { RedisClient } from './redis-client.js'
import { askFacts, nodeOptions, UnusableRedisError, visit } from './visit-node.js'

/** Connects to the node of a single address, which may turn out to be one of a cluster. */
export async function connectNode (address: RedisAddress & { form: 'node' }): Promise<RedisClient> {
  const { nodes: [node], database } = address
  const options = nodeOptions(address)
  const { hello, hasInfo, isOfCluster } = await visit(node, options, async redis => {
    const facts = await askFacts(redis)
    return { ...facts, isOfCluster: facts.hello?.mode === 'cluster' && !await isAlone(redis) }
  })
  if (isOfCluster) return await connectCluster({ ...address, form: 'cluster' })
  if (hello?.mode === 'sentinel') {
    throw new UnusableRedisError('it is a Sentinel: REDIS_URL has to be redis+sentinel://host:port/master')
  }
  if (hello?.role === 'replica') {
    throw new UnusableRedisError('it is a replica, which takes no writes: REDIS_URL has to lead to the primary')
  }
  return await connectPrimary({ ...options, ...node, db: database, enableReadyCheck: hasInfo })
}

/** Whether a node in cluster mode has all slots and does not know its own address, as one without cluster mode. */
async function isAlone (redis: Redis): Promise<boolean> {
  const slots = await redis.cluster('SLOTS')
  return slots.length > 0 && slots.every(([,, ...nodes]) => (nodes[0]?.[0] ?? '') === '')
}
