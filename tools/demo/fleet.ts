import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startRedisCluster } from '../shared/redis-cluster.js'
import { findPort } from '../shared/ports.js'
import { startGatewayProcess, type Environment, type ServerProcess } from '../shared/processes.js'
import { count, type Screen } from '../shared/screen.js'

const WEBS = 2
const PREFIX = 'cloudwatch-postman'
/** With these the destinations of the shop lie on all three nodes. */
const SHARDS = 4
/** In which the spool has noted how the last delivery ended. */
const SETTLED_WITHIN_MS = 5_000
const POLL_MS = 50

/** What a node of the cluster has stored. */
interface NodeShare {
  port: number
  shards: number
  accepted: number
  delivered: number
}

export interface FleetDemo {
  /** The processes that take requests. */
  webs: ServerProcess[]
  /** Rejects when a process of the gateway ends; never resolves. */
  ended: Promise<never>
  showShares (screen: Screen): Promise<void>
  /** Ends the gateway, then Redis, and removes the files of Redis. */
  close (): Promise<void>
}

/**
 * Starts a Redis Cluster of three masters and, on it, two web processes and a worker.
 * @throws ProcessError
 */
export async function startFleetDemo (
  environment: Environment, preferredPort: number, folder: string
): Promise<FleetDemo> {
  const cluster = await startRedisCluster()
  const settings = { ...environment, REDIS_URL: cluster.url, REDIS_PREFIX: PREFIX, REDIS_SHARDS: String(SHARDS) }
  try {
    const webs: ServerProcess[] = []
    for (let i = 0; i < WEBS; i++) {
      webs.push(await startGatewayProcess({ ...settings, FORWARDER: 'off' }, await findPort(preferredPort + i), folder))
    }
    const workerPort = await findPort()
    const workerSettings = { ...settings, FORWARDER: 'only', WORKER_PORT: String(workerPort) }
    const worker = await startGatewayProcess(workerSettings, workerPort, folder)
    return {
      webs,
      ended: Promise.race([...webs, worker].map(({ ended }) => ended)),
      showShares: async screen => showShares(screen, await settledShares(cluster.masters.map(({ port }) => port))),
      async close () {
        await Promise.all([...webs, worker].map(server => server.stop()))
        await cluster.stop()
      }
    }
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function settledShares (ports: number[]): Promise<NodeShare[]> {
  const deadline = performance.now() + SETTLED_WITHIN_MS
  for (;;) {
    const shares = await Promise.all(ports.map(readShare))
    if (shares.every(({ accepted, delivered }) => accepted === delivered) || performance.now() > deadline) return shares
    await sleep(POLL_MS)
  }
}

async function readShare (port: number): Promise<NodeShare> {
  const redis = new Redis(port)
  redis.on('error', () => {})
  try {
    const keys = await redis.keys(`{${PREFIX}:*}:counters`)
    const counters = await Promise.all(keys.map(key => redis.hgetall(key)))
    const sum = (name: string): number => counters.reduce((total, counter) => total + Number(counter[name] ?? 0), 0)
    return { port, shards: keys.length, accepted: sum('accepted'), delivered: sum('delivered') }
  } finally {
    redis.disconnect()
  }
}

function showShares (screen: Screen, shares: NodeShare[]): void {
  screen.line()
  screen.line(screen.style('bold', 'One spool on three nodes of a Redis Cluster'))
  screen.line()
  screen.table([
    ['', 'shards with items', 'accepted', 'delivered'],
    ...shares.map(({ port, shards, accepted, delivered }) =>
      [`127.0.0.1:${port}`, count(shards), count(accepted), count(delivered)])
  ])
}
