import type { Cluster, Redis } from 'ioredis'

export interface Subscription {
  /** Resolves when it listens for the first time. @throws Error when it never can */
  listening: Promise<void>
  close (): void
}

/**
 * Listens to a channel on a connection of its own, as a connection that listens takes no other commands, and again on
 * each connection that follows a broken one. Messages that are published in between are missed.
 *
 * The client's own `autoResubscribe` leaves a rejection unhandled when the connection breaks again while it subscribes,
 * which would end the process.
 */
export function subscribe (
  redis: Redis | Cluster, channel: string, onMessage: (message: string) => void
): Subscription {
  const subscriber = redis.isCluster
    ? (redis as Cluster).duplicate() as unknown as Redis
    : (redis as Redis).duplicate({ autoResubscribe: false })
  subscriber.on('error', () => {})
  subscriber.on('message', (_channel: string, message: string) => onMessage(message))
  const listening = new Promise<void>((resolve, reject) => {
    // Not before `ready`: a client without a queue refuses commands while it connects.
    subscriber.on('ready', () => { subscriber.subscribe(channel).then(() => resolve(), reject) })
    if (subscriber.status === 'wait') subscriber.connect().catch(reject)
  })
  return { listening, close: () => subscriber.disconnect() }
}
