import { Redis, type RedisOptions } from 'ioredis'
import type { RedisNode } from './redis-address.js'

const CHANNEL = '+switch-master'
const RETRY_MS = 1_000

export interface SentinelWatch {
  sentinels: RedisNode[]
  /** Of a connection to a Sentinel. */
  options: RedisOptions
  /** The name by which the Sentinels know the master. */
  master: string
}

/**
 * Has a client ask for the master again when a Sentinel says that there is another one. The old one may live on, and
 * take writes that nobody will see, for the ten seconds until it is told.
 */
export function leaveReplacedMaster (redis: Redis, { sentinels, options, master }: SentinelWatch): void {
  const watchers = sentinels.map(sentinel => {
    const watcher = new Redis({
      ...options, ...sentinel, enableReadyCheck: false, autoResubscribe: false, retryStrategy: () => RETRY_MS
    })
    watcher.on('error', () => {})
    watcher.on('ready', () => { watcher.subscribe(CHANNEL).catch(() => {}) })
    watcher.on('message', (_channel: string, message: string) => {
      const [name, , , host, port] = message.split(' ')
      if (name !== master || redis.status !== 'ready') return
      const { remoteAddress, remotePort } = redis.stream
      if (remoteAddress !== host || remotePort !== Number(port)) redis.disconnect(true)
    })
    watcher.connect().catch(() => {})
    return watcher
  })
  redis.once('end', () => { for (const watcher of watchers) watcher.disconnect() })
}
