import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import fp from 'fastify-plugin'
import { createLocalChannel, Receipts, type ReceiptChannel, type ReceiptUpdate } from '../lib/receipts.js'

declare module 'fastify' {
  interface FastifyInstance { receipts: Receipts }
}

/** Publishes on the shared connection and listens on one of its own, as a connection that listens can do nothing else. */
function createRedisChannel (redis: Redis, subscriber: Redis, channel: string): ReceiptChannel {
  return {
    // Nobody waits for the answer of a lost update longer than the client asked to.
    publish: update => { redis.publish(channel, JSON.stringify(update)).catch(() => {}) },
    subscribe: listener => {
      subscriber.on('message', (_channel, message: string) => listener(JSON.parse(message) as ReceiptUpdate))
    }
  }
}

async function subscribe (fastify: FastifyInstance): Promise<ReceiptChannel> {
  const channel = `${fastify.config.REDIS_PREFIX}:receipts`
  const subscriber = fastify.redis.duplicate({ autoResubscribe: true })
  subscriber.on('error', () => {})
  await subscriber.connect()
  await subscriber.subscribe(channel)
  fastify.addHook('onClose', async () => subscriber.disconnect())
  return createRedisChannel(fastify.redis, subscriber, channel)
}

/** Owns `fastify.receipts`: lets a request wait for its delivery, in this process or another. */
async function receipts (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('receipts', new Receipts(fastify.redis === undefined ? createLocalChannel() : await subscribe(fastify)))
}

export default fp(receipts, { name: 'receipts', dependencies: ['config', 'redis'] })
