import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import type { StateStore } from '../../lib/state/store.js'

declare module 'fastify' {
  interface FastifyInstance { state: StateStore }
}

const FOLDER = 'shared'

/** Only the backend that is used is loaded. */
async function openStore (fastify: FastifyInstance): Promise<StateStore> {
  const { config, redis } = fastify
  if (redis === undefined) {
    const { LmdbStateStore } = await import('../../lib/state/lmdb-store.js')
    const { keepPrivate, noteOpening, prepareDirectory } = await import('../../lib/spool/embedded/directory.js')
    const path = join(config.DATA_DIR, FOLDER)
    prepareDirectory(path)
    // Plugins read it while they are loaded.
    const opened = noteOpening(path)
    fastify.addHook('onReady', async () => opened())
    fastify.addHook('onClose', async () => opened())
    const store = new LmdbStateStore({ path, now: unixNow })
    keepPrivate(path)
    return store
  }
  const { RedisStateStore } = await import('../../lib/state/redis-store.js')
  return new RedisStateStore({ redis, prefix: config.REDIS_PREFIX, now: unixNow })
}

/** Owns `fastify.state`: the state that all processes share, in Redis when there is one, else on the local disk. */
async function state (fastify: FastifyInstance): Promise<void> {
  const store = await openStore(fastify)
  fastify.decorate('state', store)
  fastify.addHook('onClose', () => store.close())
}

// After the spool, which makes sure that no other process uses the same folder.
export default fp(state, { name: 'state', dependencies: ['config', 'redis', 'spool'] })
