import type { Redis, RedisOptions } from 'ioredis'
import { answerWithin } from './ask.js'
import { GatewayCluster, type GatewayClusterOptions } from './gateway-cluster.js'
import { describeNode, type RedisAddress, type RedisNode } from './redis-address.js'
import { mastersOf } from './redis-client.js'
import { isAtLeast, SHARDED_VERSION } from './server-facts.js'
import {
  askFacts, connectionFault, nodeOptions, UnusableRedisError, visit, type NodeFacts, type NodeOptions
} from './visit-node.js'

/** In which every master must have been connected to. */
const CLUSTER_TIMEOUT_MS = 10_000
/** How often the slots are asked for, as a master that hangs tells nobody that its replica has taken over. */
const SLOTS_REFRESH_MS = 5_000
const SLOTS_TIMEOUT_MS = 2_000
/** A node that cannot be reached now may come back; any other error has to be mended by somebody. */
const UNREACHABLE = /ECONN|ENOTFOUND|EAI_AGAIN|EHOST|ENET|EPIPE|ETIMEDOUT|Connection is closed|no answer within/
const SLOTS = 16_384

/** Connects to every master of a cluster, of whose nodes one that the address names has to be reached. */
export async function connectCluster (address: RedisAddress & { form: 'cluster' }): Promise<GatewayCluster> {
  const { nodes, database } = address
  if (database > 0) throw new UnusableRedisError('a Redis Cluster has the database 0 alone')
  const options = nodeOptions(address)
  const facts = await Promise.all(nodes.map(node => visitOrMiss(node, options)))
  const strange = facts.findIndex(each => each !== null && each.hello !== null && each.hello.mode !== 'cluster')
  if (strange !== -1) {
    throw new UnusableRedisError(`${describeNode(nodes[strange]!)} is no node of a cluster: name one address alone`)
  }
  const known = facts.filter(each => each !== null)
  if (known.length === 0) throw new UnusableRedisError('none of its nodes can be reached')
  await visit(nodes[facts.findIndex(each => each !== null)]!, options, requireAllSlots)
  const enableReadyCheck = known.every(({ hasInfo }) => hasInfo)
  const isSharded = known.every(({ hello }) => isAtLeast(hello?.version ?? null, SHARDED_VERSION))
  const cluster = new GatewayCluster(nodes, clusterOptions({ ...options, enableReadyCheck }), isSharded)
  try {
    await untilMastersConnected(cluster)
    return cluster
  } catch (error) {
    cluster.disconnect()
    throw error
  }
}

/** What one of the nodes that the address names says; null while it cannot be reached. */
async function visitOrMiss (node: RedisNode, options: RedisOptions): Promise<NodeFacts | null> {
  try {
    return await visit(node, options, askFacts)
  } catch (error) {
    const fault = connectionFault(error)
    if (UNREACHABLE.test(`${fault} ${(error as NodeJS.ErrnoException).code}`)) return null
    throw new UnusableRedisError(`its node ${describeNode(node)}: ${fault}`)
  }
}

async function requireAllSlots (redis: Redis): Promise<void> {
  const info = await redis.cluster('INFO') as string
  const assigned = Number(/cluster_slots_assigned:(\d+)/.exec(info)?.[1] ?? SLOTS)
  if (assigned < SLOTS) {
    throw new UnusableRedisError(`no node has ${SLOTS - assigned} of the ${SLOTS} slots of the cluster`)
  }
  if (info.includes('cluster_state:fail')) {
    throw new UnusableRedisError(
      'masters of the cluster have failed, and no replica has taken their place yet (cluster_state:fail)'
    )
  }
}

function clusterOptions (redisOptions: NodeOptions): GatewayClusterOptions {
  return {
    lazyConnect: true,
    redisOptions,
    // A certificate is made for a name; the client would connect to the IP that it has resolved the name to.
    dnsLookup: (host, callback) => callback(null, host),
    // Else it would send a command that was under way again.
    retryDelayOnFailover: 0,
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: SLOTS_TIMEOUT_MS
  }
}

async function untilMastersConnected (cluster: GatewayCluster): Promise<void> {
  const causes = new Map<string, string>()
  const onNodeError = (error: Error, node: string): void => { causes.set(node, connectionFault(error)) }
  const ignore = (): void => {}
  cluster.on('node error', onNodeError).on('error', ignore)
  const connected = cluster.connect().then(async () => {
    await Promise.all(mastersOf(cluster).map(async node => {
      const { host, port } = node.options as RedisNode
      try {
        await node.ping()
      } catch (error) {
        const name = `${host}:${port}`
        throw new UnusableRedisError(`its node ${name}: ${causes.get(name) ?? connectionFault(error)}`)
      }
    }))
  })
  // When it comes later than the deadline nobody waits for it.
  connected.catch(() => {})
  try {
    await answerWithin(CLUSTER_TIMEOUT_MS, connected)
  } catch (error) {
    const [cause] = causes
    if (error instanceof UnusableRedisError || cause === undefined) throw error
    throw new UnusableRedisError(`its node ${cause[0]}: ${cause[1]}`)
  } finally {
    cluster.off('node error', onNodeError).off('error', ignore)
  }
}
