import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findPort } from './ports.js'
import { startRedis, type RedisServer } from './redis.js'

const SLOTS = 16_384
/** The bus of a node listens on the port of the node and this much, unless it is told otherwise. */
const BUS_OFFSET = 10_000
const MAX_NODE_PORT = 55_000
const POLL_MS = 20

export interface RedisClusterOptions {
  masters?: number
  /** For each master. */
  replicas?: number
  /** Milliseconds after which a node that is silent counts as failed. */
  nodeTimeoutMs?: number
  /** Further options of each redis-server. */
  args?: string[]
}

export interface RedisClusterServer {
  /** Names every node. */
  url: string
  masters: RedisServer[]
  replicas: RedisServer[]
  /** Ends the servers and removes their files. */
  stop (): Promise<void>
}

/** A free port for a node of a cluster, whose bus is free, too. */
export async function nodePort (): Promise<number> {
  for (;;) {
    const port = await findPort()
    if (port < MAX_NODE_PORT && await findPort(port + BUS_OFFSET) === port + BUS_OFFSET) return port
  }
}

/** Starts a cluster on loopback, without the seconds that `redis-cli --cluster create` waits. */
export async function startRedisCluster (
  { masters: masterCount = 3, replicas: replicasEach = 0, nodeTimeoutMs = 3_000, args = [] }: RedisClusterOptions = {}
): Promise<RedisClusterServer> {
  const nodeArgs = [
    '--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-node-timeout', String(nodeTimeoutMs),
    '--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0', ...args
  ]
  const nodes: RedisServer[] = []
  // One after the other, or two might be given the same port.
  for (let i = 0; i < masterCount * (1 + replicasEach); i++) {
    nodes.push(await startRedis({ port: await nodePort(), args: nodeArgs }))
  }
  const clients = nodes.map(({ url }) => new Redis(url, { retryStrategy: () => null }).on('error', () => {}))
  const stop = async (): Promise<void> => { await Promise.all(nodes.map(node => node.stop())) }
  try {
    await joinCluster(nodes.map(({ port }, i) => ({ client: clients[i]!, port })), masterCount)
    return {
      url: `redis://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      masters: nodes.slice(0, masterCount),
      replicas: nodes.slice(masterCount),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  } finally {
    for (const client of clients) client.disconnect()
  }
}

export interface ClusterMember {
  client: Redis
  /** Where the other nodes find it, and its bus unless that is 10,000 above. */
  port: number
  busPort?: number
}

/**
 * Makes a cluster of empty nodes: the first become the masters; of the others the first becomes a replica of the first
 * master, and so on.
 */
export async function joinCluster (members: ClusterMember[], masterCount: number): Promise<void> {
  const clients = members.map(({ client }) => client)
  for (const [i, client] of clients.entries()) await client.cluster('SET-CONFIG-EPOCH', i + 1)
  for (const [i, client] of clients.slice(0, masterCount).entries()) {
    const from = Math.ceil(SLOTS * i / masterCount)
    const to = Math.ceil(SLOTS * (i + 1) / masterCount)
    await client.cluster('ADDSLOTS', ...Array.from({ length: to - from }, (_, slot) => from + slot))
  }
  await Promise.all(members.slice(1).map(member => meet(clients[0]!, member)))
  await whenEach(clients, async client =>
    numberIn(await client.cluster('INFO'), 'cluster_known_nodes') === clients.length)
  await Promise.all(clients.slice(masterCount).map(async (client, i) =>
    await client.cluster('REPLICATE', await clients[i % masterCount]!.cluster('MYID') as string)))
  await whenEach(clients, async client => String(await client.cluster('INFO')).includes('cluster_state:ok'))
  const replicas = (clients.length - masterCount) / masterCount
  if (replicas === 0) return
  // Each node has to know of all replicas, or a client that asks it would not.
  await whenEach(clients.slice(0, masterCount), async client =>
    numberIn(await client.info('replication'), 'connected_slaves') === replicas)
}

/** Tells a node of a cluster of another one. */
export async function meet (
  client: Redis, { port, busPort = port + BUS_OFFSET }: Omit<ClusterMember, 'client'>
): Promise<void> {
  await client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
}

function numberIn (info: unknown, name: string): number {
  return Number(new RegExp(`${name}:(\\d+)`).exec(String(info))?.[1])
}

async function whenEach (clients: Redis[], holds: (client: Redis) => Promise<boolean>): Promise<void> {
  for (const client of clients) {
    while (!await holds(client)) await sleep(POLL_MS)
  }
}
