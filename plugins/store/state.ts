import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import type { StateStore } from '../../lib/state/store.js'

declare module 'fastify' {
  interface FastifyInstance { state: StateStore }
}

const FOLDER = 'shared'

/** The store on the local disk: of this process, or of its primary. */
async function openLocalStore (fastify: FastifyInstance): Promise<StateStore> {
  const { config, processes } = fastify
  if (processes.role === 'web') {
    const { RemoteStateStore } = await import('../../lib/state/remote-store.js')
    return new RemoteStateStore(processes.primary)
  }
  const { LmdbStateStore } = await import('../../lib/state/lmdb-store.js')
  const { keepPrivate, noteOpening, prepareDirectory } = await import('../../lib/spool/embedded/directory.js')
  const path = join(config.DATA_DIR, FOLDER)
  prepareDirectory(path)
  // Plugins read it while they are loaded.
  const opened = noteOpening(path)
  fastify.addHook('onReady', async () => opened())
  fastify.addHook('onClose', async () => opened())
  const store = new LmdbStateStore({ path, now: unixNow, shared: processes.role === 'primary' })
  keepPrivate(path)
  if (processes.role === 'primary') {
    const { serveStateStore } = await import('../../lib/state/remote-store.js')
    processes.web.onOpen(channel => serveStateStore(channel, store))
  }
  return store
}

/** Only the backend that is used is loaded. */
async function openStore (fastify: FastifyInstance): Promise<StateStore> {
  const { config, redis } = fastify
  if (redis === undefined) return await openLocalStore(fastify)
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
export default fp(state, { name: 'state', dependencies: ['config', 'processes', 'redis', 'spool'] })
