import { Redis, type RedisOptions } from 'ioredis'
import { createReconnect } from './reconnect.js'
import { untilConnected } from './visit-node.js'

/** What a server answers that is the primary no more; the address leads to the one that is. */
const NO_PRIMARY = /READONLY|MASTERDOWN/

/**
 * Connects a client that writes to one server. It fails at once while the server is away, so that a request is answered
 * 503, and sends no command twice that was under way.
 */
export async function connectPrimary (options: RedisOptions & { db: number }): Promise<Redis> {
  const redis = new Redis({
    ...options, enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0
  })
  // The client listens for one error of a socket, and a second one would end the process.
  redis.on('error', () => redis.stream?.on('error', () => {}))
  leaveFormerPrimary(redis)
  await untilConnected(redis)
  await selectDatabase(redis, options.db)
  return redis
}

/** Has the client connect anew when its server is the primary no more. */
function leaveFormerPrimary (redis: Redis): void {
  const reconnect = createReconnect(redis)
  redis.options.reconnectOnError = ({ message }) => {
    if (NO_PRIMARY.test(message)) reconnect()
    return false
  }
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
