import { setTimeout as sleep } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { ConfigurationError } from '../configuration/configuration-error.js'
import { answerWithin } from './ask.js'
import { GatewayCluster, type GatewayClusterOptions } from './gateway-cluster.js'
import { describeAddress, describeNode, type RedisAddress, type RedisNode } from './redis-address.js'
import { mastersOf, type RedisClient } from './redis-client.js'
import { askHello, isAtLeast, isRefused, SHARDED_VERSION, type Hello } from './server-facts.js'

const CONNECT_TIMEOUT_MS = 5_000
/** In which every master of a cluster must have been connected to. */
const CLUSTER_TIMEOUT_MS = 10_000
/** How often a Redis that still reads its file is asked whether it is done; its own estimate is seconds too long. */
const LOADING_RETRY_MS = 250
/** How often a cluster is asked where its slots are, as a master that hangs tells nobody that its replica has taken over. */
const SLOTS_REFRESH_MS = 5_000
const SLOTS_TIMEOUT_MS = 2_000
const SENTINEL_RETRY_MS = 500
/** How long a master that Sentinels know may take to answer: longer than replicas may take to confirm an append. */
const MASTER_TIMEOUT_MS = 6_000
/** To say goodbye; a server that is away or hangs is left without. */
const QUIT_MS = 1_000
/** What a server answers that is the primary no more; the address leads to the one that is. */
const NO_PRIMARY = /READONLY|MASTERDOWN/
/** A node that cannot be reached now may come back; any other error has to be mended by somebody. */
const UNREACHABLE = /ECONN|ENOTFOUND|EAI_AGAIN|EHOST|ENET|EPIPE|ETIMEDOUT|Connection is closed|no answer within/
const SLOTS = 16_384
const NO_DATABASE = 'a Redis Cluster has the database 0 alone'

export interface ConnectOptions {
  /** Of the Sentinels themselves; that of Redis is in the address. */
  sentinelPassword?: string | undefined
  /** Strikes secrets out of the messages of a server. */
  strikeSecrets?: (text: string) => string
  onWarning: (message: string) => void
}

/** What keeps an address from being used. */
class Fault extends Error {}

/** Where a name has several IPs, the error of none of them has a message. */
function textOf (error: unknown): string {
  const { message, code = '' } = error as NodeJS.ErrnoException
  return message === '' ? code : message
}

type NodeOptions = Omit<RedisOptions, 'replyMapping'>

/** The options of every connection to a node. */
function nodeOptions ({ tls, username, password, family }: RedisAddress): NodeOptions {
  return {
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    family,
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS
  }
}

/** A request is answered 503 at once when Redis is away, and a command that was under way is never sent twice. */
const AT_ONCE: RedisOptions = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }

/**
 * Connects to Redis, and finds out what kind it is: a single address may be that of a cluster.
 * @throws ConfigurationError when it cannot be reached, refuses the password, or is not what the address says
 */
export async function connectRedis (address: RedisAddress, options: ConnectOptions): Promise<RedisClient> {
  try {
    switch (address.form) {
      case 'node': return await connectNode(address)
      case 'cluster': return await connectCluster(address)
      case 'sentinel': return await connectThroughSentinels(address, options)
    }
  } catch (error) {
    const { strikeSecrets = text => text } = options
    throw new ConfigurationError(`Redis at ${describeAddress(address)} cannot be used: ${strikeSecrets(textOf(error))}. Start it, or mend REDIS_URL, or unset REDIS_URL for the embedded spool.`)
  }
}

export async function disconnectRedis (redis: RedisClient): Promise<void> {
  await Promise.race([redis.quit().catch(() => {}), sleep(QUIT_MS, undefined, { ref: false })])
  redis.disconnect()
}

/** Waits until the client is connected, or throws what stood in the way, and disconnects it. */
async function untilConnected (redis: Redis): Promise<void> {
  let cause: Error | null = null
  const onError = (error: Error): void => { cause = error }
  redis.on('error', onError)
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    // The client emits why, and rejects with no more than that the connection is closed.
    throw cause ?? error
  }
  redis.off('error', onError)
}

/** Runs a question on a connection of its own to a node. */
async function visit<T> (node: RedisNode, options: RedisOptions, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ ...options, ...node, enableReadyCheck: false, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await answerWithin(CONNECT_TIMEOUT_MS, untilConnected(redis))
    return await answerWithin(CONNECT_TIMEOUT_MS, ask(redis))
  } finally {
    redis.disconnect()
  }
}

/** The check for a server that still reads its file asks INFO, which managed ones may refuse. */
async function allowsInfo (redis: Redis): Promise<boolean> {
  try {
    await redis.info('server')
    return true
  } catch (error) {
    if (isRefused(error as Error)) return false
    throw error
  }
}

interface Visited { hello: Hello | null, hasInfo: boolean }

async function look (redis: Redis): Promise<Visited> {
  return { hello: await askHello(redis), hasInfo: await allowsInfo(redis) }
}

async function connectNode (address: RedisAddress & { form: 'node' }): Promise<RedisClient> {
  const { nodes: [node], database } = address
  const options = nodeOptions(address)
  const { hello, hasInfo, isOfCluster } = await visit(node, options, async redis => {
    const seen = await look(redis)
    return { ...seen, isOfCluster: seen.hello?.mode === 'cluster' && !await isAlone(redis) }
  })
  if (isOfCluster) return await connectCluster({ ...address, form: 'cluster' })
  if (hello?.mode === 'sentinel') throw new Fault('it is a Sentinel: REDIS_URL has to be redis+sentinel://host:port/master')
  if (hello?.role === 'replica') throw new Fault('it is a replica, which takes no writes: REDIS_URL has to lead to the primary')
  const redis = new Redis({
    ...options, ...AT_ONCE, ...node, db: database, enableReadyCheck: hasInfo, reconnectOnError: error => NO_PRIMARY.test(error.message)
  })
  await untilConnected(redis)
  await selectDatabase(redis, database)
  return redis
}

/** The client itself stays with the database 0, and says nothing, when the server has no other. */
async function selectDatabase (redis: Redis, database: number): Promise<void> {
  if (database === 0) return
  try {
    await redis.select(database)
  } catch (error) {
    redis.disconnect()
    throw error
  }
}

/** Whether a node in cluster mode has all slots and does not know its own address: then it is no different from one without. */
async function isAlone (redis: Redis): Promise<boolean> {
  const slots = await redis.cluster('SLOTS')
  return slots.length > 0 && slots.every(([,, ...nodes]) => (nodes[0]?.[0] ?? '') === '')
}

/** What one of the nodes that the address names says; null while it cannot be reached. */
async function visitOrMiss (node: RedisNode, options: RedisOptions): Promise<Visited | null> {
  try {
    return await visit(node, options, look)
  } catch (error) {
    const text = textOf(error)
    if (UNREACHABLE.test(`${text} ${(error as NodeJS.ErrnoException).code}`)) return null
    throw new Fault(`its node ${describeNode(node)}: ${text}`)
  }
}

async function connectCluster (address: RedisAddress & { form: 'cluster' }): Promise<GatewayCluster> {
  const { nodes, database } = address
  if (database > 0) throw new Fault(NO_DATABASE)
  const options = nodeOptions(address)
  const visited = await Promise.all(nodes.map(node => visitOrMiss(node, options)))
  const strange = visited.findIndex(each => each !== null && each.hello !== null && each.hello.mode !== 'cluster')
  if (strange !== -1) throw new Fault(`${describeNode(nodes[strange]!)} is no node of a cluster: name one address alone`)
  const reached = visited.filter(each => each !== null)
  if (reached.length === 0) throw new Fault('none of its nodes can be reached')
  const first = nodes[visited.findIndex(each => each !== null)]!
  await visit(first, options, requireAllSlots)
  const cluster = new GatewayCluster(nodes, clusterOptions({ ...options, enableReadyCheck: reached.every(({ hasInfo }) => hasInfo) }),
    reached.every(({ hello }) => isAtLeast(hello?.version ?? null, SHARDED_VERSION)))
  try {
    await untilMastersConnected(cluster)
    return cluster
  } catch (error) {
    cluster.disconnect()
    throw error
  }
}

async function requireAllSlots (redis: Redis): Promise<void> {
  const info = await redis.cluster('INFO') as string
  const assigned = Number(/cluster_slots_assigned:(\d+)/.exec(info)?.[1] ?? SLOTS)
  if (assigned < SLOTS) throw new Fault(`no node has ${SLOTS - assigned} of the ${SLOTS} slots of the cluster`)
  if (info.includes('cluster_state:fail')) throw new Fault('masters of the cluster have failed, and no replica has taken their place yet (cluster_state:fail)')
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
  const onNodeError = (error: Error, node: string): void => { causes.set(node, textOf(error)) }
  const ignore = (): void => {}
  cluster.on('node error', onNodeError).on('error', ignore)
  const connected = cluster.connect().then(async () => {
    await Promise.all(mastersOf(cluster).map(async node => {
      const { host, port } = node.options as RedisNode
      try {
        await node.ping()
      } catch (error) {
        const name = `${host}:${port}`
        throw new Fault(`its node ${name}: ${causes.get(name) ?? textOf(error)}`)
      }
    }))
  })
  // When it comes later than the deadline nobody waits for it.
  connected.catch(() => {})
  try {
    await answerWithin(CLUSTER_TIMEOUT_MS, connected)
  } catch (error) {
    const [cause] = causes
    throw error instanceof Fault || cause === undefined ? error : new Fault(`its node ${cause[0]}: ${cause[1]}`)
  } finally {
    cluster.off('node error', onNodeError).off('error', ignore)
  }
}

async function connectThroughSentinels (address: RedisAddress & { form: 'sentinel' }, { sentinelPassword, onWarning }: ConnectOptions): Promise<Redis> {
  const { nodes, master, tls, family, database } = address
  const sentinelOptions: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    family,
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    ...(tls ? { tls: {} } : {})
  }
  const options = nodeOptions(address)
  const current = await askSentinels(nodes, sentinelOptions, master, onWarning)
  const { hasInfo } = await visit(current, options, look).catch((error: Error) => { throw new Fault(`its master ${describeNode(current)}: ${textOf(error)}`) })
  let isStarted = false
  const redis = new Redis({
    ...options,
    ...AT_ONCE,
    sentinels: nodes,
    name: master,
    db: database,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
    enableReadyCheck: hasInfo,
    // The Sentinels are asked again where the master is; the old one may hang.
    socketTimeout: MASTER_TIMEOUT_MS,
    sentinelRetryStrategy: () => isStarted ? SENTINEL_RETRY_MS : null,
    reconnectOnError: error => NO_PRIMARY.test(error.message)
  })
  await untilConnected(redis)
  isStarted = true
  await selectDatabase(redis, database)
  return redis
}

/** Asks the Sentinels in turn for the master and for their quorum, until one answers. @returns where the master is */
async function askSentinels (nodes: RedisNode[], options: RedisOptions, master: string, onWarning: (message: string) => void): Promise<RedisNode> {
  const faults: string[] = []
  for (const node of nodes) {
    try {
      const { known, quorum } = await visit(node, options, async redis => ({
        known: await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master) as [host: string, port: string] | null,
        quorum: await redis.call('SENTINEL', 'CKQUORUM', master).catch((error: Error) => error)
      }))
      if (known === null) throw new Fault(`the Sentinel ${describeNode(node)} knows no master of the name that REDIS_URL ends with`)
      if (quorum instanceof Error) onWarning(`REDIS_URL: nobody will take over when the master fails, says the Sentinel ${describeNode(node)}: ${quorum.message}`)
      return { host: known[0], port: Number(known[1]) }
    } catch (error) {
      if (error instanceof Fault) throw error
      faults.push(`the Sentinel ${describeNode(node)}: ${textOf(error)}`)
    }
  }
  const hint = faults.some(fault => /NOAUTH|WRONGPASS/.test(fault)) ? ' (REDIS_SENTINEL_PASSWORD)' : ''
  throw new Fault(`no Sentinel answers${hint}: ${faults.join('; ')}`)
}
