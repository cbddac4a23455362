import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError } from '../configuration/configuration-error.js'
import { connectCluster } from './connect-cluster.js'
import { connectNode } from './connect-node.js'
import { connectThroughSentinels, type SentinelOptions } from './connect-through-sentinels.js'
import { describeAddress, type RedisAddress } from './redis-address.js'
import type { RedisClient } from './redis-client.js'
import { connectionFault } from './visit-node.js'

/** To say goodbye; a server that is away or hangs is left without. */
const QUIT_MS = 1_000

/** How to mend a Redis that cannot be used. */
export const REDIS_MEND = 'Start it, or mend REDIS_URL, or unset REDIS_URL for the embedded spool.'

export interface ConnectOptions extends SentinelOptions {
  /** Strikes secrets out of the messages of a server. */
  strikeSecrets?: (text: string) => string
}

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
    throw new ConfigurationError(
      `Redis at ${describeAddress(address)} cannot be used: ${strikeSecrets(connectionFault(error))}. ${REDIS_MEND}`
    )
  }
}

export async function disconnectRedis (redis: RedisClient): Promise<void> {
  await Promise.race([redis.quit().catch(() => {}), sleep(QUIT_MS, undefined, { ref: false })])
  redis.disconnect()
}
