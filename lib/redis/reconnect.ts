import type { Redis } from 'ioredis'

/**
 * @returns has the client connect anew, once for each connection: every further time that the client is told to, it
 * would add a listener and a timer to the socket that is closing
 */
export function createReconnect (redis: Redis): () => void {
  let isLeaving = false
  redis.on('close', () => { isLeaving = false })
  return () => {
    if (isLeaving || redis.status !== 'ready') return
    isLeaving = true
    redis.disconnect(true)
  }
}
