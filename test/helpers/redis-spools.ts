import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { mastersOf, type RedisClient } from '../../lib/redis/redis-client.js'
import { openRedisSpool } from '../../lib/spool/redis/redis-spool.js'
import type { Spool } from '../../lib/spool/spool.js'
import { openFixture, type OpenSpool } from '../lib/spool/contract.js'

const SHARDS = 4

/** Overwrites the values of a stream, and leaves its entries what they are otherwise. */
async function damageStream (node: Redis, key: string): Promise<void> {
  const entries = await node.xrange(key, '-', '+')
  for (const [id] of entries) await node.xdel(key, id)
  await node.call('XSETID', key, '0-0')
  for (const [id, fields] of entries) await node.xadd(key, id, ...fields.slice(0, -1), '[[1,\n{"v":\n')
}

/** Opens spools of a prefix of their own in this Redis. */
export function redisSpools (redis: RedisClient): OpenSpool {
  return async (t, options) => {
    const prefix = `spool-${randomUUID()}`
    const launch = (): Promise<Spool> => openRedisSpool({ ...options, redis, prefix, shards: SHARDS, sync: 'commit' })
    return await openFixture(t, launch, async () => {
      for (const node of mastersOf(redis)) {
        for await (const keys of node.scanStream({ match: `{${prefix}:*}:q:*`, count: 1_000 })) {
          for (const key of keys as string[]) await damageStream(node, key)
        }
      }
    })
  }
}
