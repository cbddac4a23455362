import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { SharedStore } from '../../lib/state/store.js'

declare module 'fastify' {
  interface FastifyInstance { sharedStore: SharedStore }
}

const FOLDER = 'shared'

/** Only the backend that is used is loaded. */
async function openStore ({ config, redis }: FastifyInstance): Promise<SharedStore> {
  if (redis === undefined) {
    const { LmdbSharedStore } = await import('../../lib/state/lmdb-store.js')
    return new LmdbSharedStore({ path: join(config.DATA_DIR, FOLDER), now: Date.now })
  }
  const { RedisSharedStore } = await import('../../lib/state/redis-store.js')
  return await RedisSharedStore.open({ redis, prefix: config.REDIS_PREFIX, now: Date.now })
}

/** Owns `fastify.sharedStore`: what all processes know together, in Redis when there is one, else beside the spool on the local disk. */
async function sharedStore (fastify: FastifyInstance): Promise<void> {
  const store = await openStore(fastify)
  fastify.decorate('sharedStore', store)
  fastify.addHook('onClose', () => store.close())
}

// After the spool, which makes sure that no other process uses the same folder.
export default fp(sharedStore, { name: 'state', dependencies: ['config', 'redis', 'spool'] })
