import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { LmdbStateStore } from '../../lib/state/lmdb-store.js'
import { RemoteStateStore, serveStateStore } from '../../lib/state/remote-store.js'
import { RedisStateStore } from '../../lib/state/redis-store.js'
import type { StateStore } from '../../lib/state/store.js'
import { redisEnvironment, type Backend } from './app.js'
import { channelPair } from './channel-pair.js'
import { connectTo } from './redis-forms.js'
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
  return redisStateStoreFolder(t, (await redisEnvironment(t)).REDIS_URL)
}

/** A store on disk of this test alone, in a process of its own, for others that use it through that one. */
export async function remoteStateStoreFolder (t: Teardown): Promise<StoreFolder> {
  const path = await mkdtemp(join(tmpdir(), 'state-'))
  const owner = new LmdbStateStore({ path, now: Date.now, shared: true })
  t.teardown(async () => {
    await owner.close()
    await rm(path, { recursive: true, force: true })
  })
  return {
    async open () {
      const [near, far] = channelPair()
      serveStateStore(near, owner)
      return new RemoteStateStore(far)
    }
  }
}

/** A store of this test alone in the Redis of this URL. */
export function redisStateStoreFolder (t: Teardown, url: string): StoreFolder {
  const prefix = `test-${randomUUID()}`
  return {
    async open (now = Date.now) {
      const store = new RedisStateStore({ redis: await connectTo(t, url), prefix, now })
      t.teardown(() => store.close())
      return store
    }
  }
}
