import type { Cluster, Redis } from 'ioredis'
import { createReconnect } from './reconnect.js'
import { isSharded, type RedisClient } from './redis-client.js'

export interface Subscription {
  /** Resolves when it listens for the first time. @throws Error when it never can */
  listening: Promise<void>
  close (): void
}

/** Tells all who have subscribed to the channel. */
export async function publish (redis: RedisClient, channel: string, message: string): Promise<void> {
  await (isSharded(redis) ? redis.spublish(channel, message) : redis.publish(channel, message))
}

/**
 * Listens to channels on connections of its own, as a connection that listens takes no other commands, and again on
 * each connection that follows a broken one. Messages that are published in between are missed.
 */
export function subscribe (
  redis: RedisClient, channels: string[], onMessage: (message: string) => void
): Subscription {
  return isSharded(redis)
    ? subscribeToShards(redis as Cluster, channels, onMessage)
    : subscribeToOne(redis, channels, onMessage)
}

/**
 * A message reaches every node, so that a connection to any of them is enough.
 *
 * The client's own `autoResubscribe` leaves a rejection unhandled when the connection breaks again while it subscribes,
 * which would end the process.
 */
function subscribeToOne (
  redis: RedisClient, channels: string[], onMessage: (message: string) => void
): Subscription {
  const subscriber = redis.isCluster
    ? (redis as Cluster).duplicate() as unknown as Redis
    : (redis as Redis).duplicate({ autoResubscribe: false, reconnectOnError: null })
  subscriber.on('error', () => {})
  subscriber.on('message', (_channel: string, message: string) => onMessage(message))
  const listening = new Promise<void>((resolve, reject) => {
    // Not before `ready`: a client without a queue refuses commands while it connects.
    subscriber.on('ready', () => { subscriber.subscribe(...channels).then(() => resolve(), reject) })
    if (subscriber.status === 'wait') subscriber.connect().catch(reject)
  })
  // A server that hangs, or is the primary no more, leaves a connection that only listens as it is.
  const follow = createReconnect(subscriber)
  redis.on('reconnecting', follow)
  return {
    listening,
    close () {
      redis.off('reconnecting', follow)
      subscriber.disconnect()
    }
  }
}

/** A message reaches the shard of its channel alone. The client follows the slots of its channels to other nodes. */
function subscribeToShards (
  redis: Cluster, channels: string[], onMessage: (message: string) => void
): Subscription {
  const subscriber = redis.duplicate([], { shardedSubscribers: true, slotsRefreshInterval: 0 })
  subscriber.on('error', () => {})
  subscriber.on('smessage', (_channel: string, message: string) => onMessage(message))
  const listening = new Promise<void>((resolve, reject) => {
    subscriber.once('ready', () => {
      Promise.all(channels.map(channel => subscriber.ssubscribe(channel))).then(() => resolve(), reject)
    })
    if (subscriber.status === 'wait') subscriber.connect().catch(reject)
  })
  // A master that hangs leaves the connection as it is when its replica takes over.
  const follow = (): void => subscriber.refreshSlotsCache()
  redis.on('+node', follow).on('-node', follow)
  return {
    listening,
    close () {
      redis.off('+node', follow).off('-node', follow)
      subscriber.disconnect()
    }
  }
}
