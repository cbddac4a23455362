import type { Redis, RedisOptions } from 'ioredis'
import { leaveReplacedMaster } from './leave-replaced-master.js'
import { connectPrimary } from './primary-client.js'
import { describeNode, type RedisAddress, type RedisNode } from './redis-address.js'
import { tlsOptions } from './tls-connector.js'
import { askFacts, CONNECT_TIMEOUT_MS, connectionFault, nodeOptions, UnusableRedisError, visit } from './visit-node.js'

const SENTINEL_RETRY_MS = 500
/** How long the master may take to answer: longer than replicas may take to confirm an append. */
const MASTER_TIMEOUT_MS = 6_000

export interface SentinelOptions {
  /** Of the Sentinels themselves; that of Redis is in the address. */
  sentinelPassword?: string | undefined
  onWarning: (message: string) => void
}

/** Connects to the master that the Sentinels of the address know, and to each that follows it. */
export async function connectThroughSentinels (
  address: RedisAddress & { form: 'sentinel' }, { sentinelPassword, onWarning }: SentinelOptions
): Promise<Redis> {
  const { nodes, master, tls, family, database } = address
  const sentinelOptions: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    family,
    ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    ...tlsOptions(tls)
  }
  const options = nodeOptions(address)
  const current = await askSentinels(nodes, sentinelOptions, master, onWarning)
  const { hasInfo } = await visit(current, options, askFacts).catch((error: Error) => {
    throw new UnusableRedisError(`its master ${describeNode(current)}: ${connectionFault(error)}`)
  })
  let isStarted = false
  const redis = await connectPrimary({
    ...options,
    // The client has a connector of its own, which asks the Sentinels.
    Connector: undefined,
    sentinels: nodes,
    name: master,
    db: database,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
    enableReadyCheck: hasInfo,
    // The Sentinels are asked again where the master is; the old one may hang.
    socketTimeout: MASTER_TIMEOUT_MS,
    sentinelRetryStrategy: () => isStarted ? SENTINEL_RETRY_MS : null
  })
  isStarted = true
  leaveReplacedMaster(redis, { sentinels: nodes, options: sentinelOptions, master })
  return redis
}

/** Asks the Sentinels in turn for the master and for their quorum, until one answers. @returns where the master is */
async function askSentinels (
  nodes: RedisNode[], options: RedisOptions, master: string, onWarning: (message: string) => void
): Promise<RedisNode> {
  const faults: string[] = []
  for (const node of nodes) {
    const sentinel = `the Sentinel ${describeNode(node)}`
    try {
      const { known, quorum } = await visit(node, options, async redis => ({
        known: await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', master) as [host: string, port: string] | null,
        quorum: await redis.call('SENTINEL', 'CKQUORUM', master).catch((error: Error) => error)
      }))
      if (known === null) {
        throw new UnusableRedisError(`${sentinel} knows no master of the name that REDIS_URL ends with`)
      }
      if (quorum instanceof Error) {
        onWarning(`REDIS_URL: nobody will take over when the master fails, says ${sentinel}: ${quorum.message}`)
      }
      return { host: known[0], port: Number(known[1]) }
    } catch (error) {
      if (error instanceof UnusableRedisError) throw error
      faults.push(`${sentinel}: ${connectionFault(error)}`)
    }
  }
  const hint = faults.some(fault => /NOAUTH|WRONGPASS/.test(fault)) ? ' (REDIS_SENTINEL_PASSWORD)' : ''
  throw new UnusableRedisError(`no Sentinel answers${hint}: ${faults.join('; ')}`)
}
