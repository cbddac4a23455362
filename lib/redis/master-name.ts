import { Command, type Cluster, type Redis } from 'ioredis'
import type { RedisClient } from './redis-client.js'

/** The address of a node; of the master that Sentinels know its name there. */
export function nameOf ({ options }: Redis): string {
  return options.sentinels ? options.name! : `${options.host}:${options.port}`
}

/** The address of the node that takes the writes of a key. */
export function masterNameOf (redis: RedisClient, key: string): string {
  if (!redis.isCluster) return nameOf(redis as Redis)
  return (redis as Cluster).slots[new Command('get', [key]).getSlot()]?.[0] ?? 'no node'
}
