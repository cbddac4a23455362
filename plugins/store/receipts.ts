import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { createLocalChannel, Receipts, type ReceiptChannel, type ReceiptUpdate } from '../../lib/delivery/receipts.js'
import { publish, subscribe } from '../../lib/redis/subscribe.js'

declare module 'fastify' {
  interface FastifyInstance { receipts: Receipts }
}

/** How long a request may still wait for its delivery once the app closes: longer than most deliveries take. */
const CLOSING_WAIT_MS = 2_500

/** The name of the news, between a primary and its web processes, that items have met their outcome. */
const TOPIC = 'receipts'

/** Listens before it returns, so that no update is missed. */
async function createRedisChannel (fastify: FastifyInstance): Promise<ReceiptChannel> {
  const { redis, config } = fastify
  const channel = `${config.REDIS_PREFIX}:receipts`
  let tell: (update: ReceiptUpdate) => void = () => {}
  const subscription = subscribe(redis, [channel], message => tell(JSON.parse(message) as ReceiptUpdate))
  fastify.addHook('onClose', async () => subscription.close())
  await subscription.listening.catch(({ message }: Error) => {
    throw new ConfigurationError(`Nobody can listen to the channel ${channel} of Redis (REDIS_URL): ${message}`)
  })
  return {
    // When an update is lost, the request that waits for it is answered after the time that its client asked for.
    publish: update => { publish(redis, channel, JSON.stringify(update)).catch(() => {}) },
    subscribe: listener => { tell = listener }
  }
}

/** The channel of processes without Redis: the primary delivers, and its web processes have requests that wait. */
function createLocalOrForkedChannel ({ processes }: FastifyInstance): ReceiptChannel {
  if (processes.role === 'primary') return { publish: update => processes.web.tellAll(TOPIC, update), subscribe () {} }
  if (processes.role === 'web') {
    return { publish () {}, subscribe: listener => processes.primary.onNews(TOPIC, listener) }
  }
  return createLocalChannel()
}

/** Owns `fastify.receipts`: lets a request wait for its delivery, in this process or another. */
async function receipts (fastify: FastifyInstance): Promise<void> {
  const channel = fastify.redis === undefined
    ? createLocalOrForkedChannel(fastify)
    : await createRedisChannel(fastify)
  const receipts = new Receipts(channel)
  fastify.decorate('receipts', receipts)
  fastify.addHook('preClose', async () => receipts.endWithin(CLOSING_WAIT_MS))
}

export default fp(receipts, { name: 'receipts', dependencies: ['config', 'processes', 'redis'] })
