import type { Cluster, Redis } from 'ioredis'

export interface Subscription {
  /** Resolves when it listens for the first time. */
  listening: Promise<void>
  close (): void
}

/**
 * Listens to a channel, on a connection of its own as one that listens can do nothing else, and again on each that
 * follows when it breaks. What is published while there is none is missed.
 *
 * The client's own way to do so leaves a promise behind that nobody handles: a connection that broke again at that
 * moment would end the process.
 */
export function subscribe (redis: Redis | Cluster, channel: string, onMessage: (message: string) => void): Subscription {
  const subscriber = redis.isCluster ? (redis as Cluster).duplicate() as unknown as Redis : (redis as Redis).duplicate({ autoResubscribe: false })
  subscriber.on('error', () => {})
  subscriber.on('message', (_channel: string, message: string) => onMessage(message))
  const listening = new Promise<void>((resolve, reject) => {
    // Not before: a client that keeps no queue refuses what comes while it connects.
    subscriber.on('ready', () => { subscriber.subscribe(channel).then(() => resolve(), reject) })
    if (subscriber.status === 'wait') subscriber.connect().catch(reject)
  })
  return { listening, close: () => subscriber.disconnect() }
}
