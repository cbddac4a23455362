import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { LmdbStateStore } from '../../lib/state/lmdb-store.js'
import { RedisStateStore } from '../../lib/state/redis-store.js'
import type { StateStore } from '../../lib/state/store.js'
import { redisEnvironment, type Backend } from './app.js'
import type { Teardown } from './teardown.js'

export interface StoreFolder {
  /** Another process on the same store, or after a restart; closed with the test. */
  open (now?: () => number): Promise<StateStore>
}

/** A store of this test alone, on either backend. */
export async function stateStoreFolder (t: Teardown, backend: Backend): Promise<StoreFolder> {
  if (backend === 'embedded') {
    const path = await mkdtemp(join(tmpdir(), 'state-'))
    t.teardown(() => rm(path, { recursive: true, force: true }))
    return {
      async open (now = Date.now) {
        const store = new LmdbStateStore({ path, now })
        t.teardown(() => store.close())
        return store
      }
    }
  }
  const { REDIS_URL } = await redisEnvironment(t)
  const prefix = `test-${randomUUID()}`
  return {
    async open (now = Date.now) {
      const redis = new Redis(REDIS_URL!)
      redis.on('error', () => {})
      const store = new RedisStateStore({ redis, prefix, now })
      t.teardown(async () => {
        await store.close()
        redis.disconnect()
      })
      return store
    }
  }
}
