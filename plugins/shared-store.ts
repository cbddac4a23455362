import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { SharedStore } from '../lib/shared-store/shared-store.js'

declare module 'fastify' {
  interface FastifyInstance { sharedStore: SharedStore }
}

const FOLDER = 'shared'

/** Only the backend that is used is loaded. */
async function openStore ({ config, redis }: FastifyInstance): Promise<SharedStore> {
  if (redis === undefined) {
    const { LmdbSharedStore } = await import('../lib/shared-store/lmdb-shared-store.js')
    return new LmdbSharedStore({ path: join(config.DATA_DIR, FOLDER), now: Date.now })
  }
  const { RedisSharedStore } = await import('../lib/shared-store/redis-shared-store.js')
  return await RedisSharedStore.open({ redis, prefix: config.REDIS_PREFIX, now: Date.now })
}

/** Owns `fastify.sharedStore`: what all processes know together, in Redis when there is one, else beside the spool on the local disk. */
async function sharedStore (fastify: FastifyInstance): Promise<void> {
  const store = await openStore(fastify)
  fastify.decorate('sharedStore', store)
  fastify.addHook('onClose', () => store.close())
}

// After the spool, which makes sure that no other process uses the same folder.
export default fp(sharedStore, { name: 'shared-store', dependencies: ['config', 'redis', 'spool'] })
