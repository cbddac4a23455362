import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RedisClient } from '../../lib/redis/redis-client.js'
import { ROOT } from '../../tools/shared/root.js'

type StoredKey = { ttlMs?: number } & (
  | { type: 'string', value: string }
  | { type: 'bytes', base64: string }
  | { type: 'hash', value: Record<string, string> }
  | { type: 'zset', value: string[] }
  | StoredStream
)

interface StoredStream {
  type: 'stream'
  value: Array<[id: string, fields: string[]]>
  /** The last entry that each group was given. */
  groups: Record<string, string>
  leased?: Array<[id: string, lease: string, idleMs: number, deliveries: number]>
}

/** Keys with the prefix `old`. */
export interface RedisDump {
  keys: Record<string, StoredKey>
}

/** Reads a dump of test/fixtures as if it had been made this long ago. */
export function readDump<Dump extends RedisDump> (fixture: string, madeAgoMs: number): Dump {
  const text = readFileSync(join(ROOT, 'test/fixtures', fixture, 'redis.json'), 'utf8')
  const { at } = JSON.parse(text) as { at: string }
  const now = Date.now()
  const shift = now - madeAgoMs - Date.parse(at)
  // Unix milliseconds, of which those in the id of a dead letter have zeros before them.
  const shifted = text
    .replace(/(?<!\d)(00)?(1[78]\d{11})(?!\d)/g, (_time, zeros = '', ms: string) => `${zeros}${Number(ms) + shift}`)
    .replaceAll(at.slice(0, 10), new Date(now).toISOString().slice(0, 10))
  return JSON.parse(shifted) as Dump
}

/** Brings the keys back, with another prefix. */
export async function restoreDump (redis: RedisClient, { keys }: RedisDump, prefix: string): Promise<void> {
  for (const [name, stored] of Object.entries(keys)) {
    const key = name.replace(/^(\{?)old:/, `$1${prefix}:`)
    switch (stored.type) {
      case 'string':
        await redis.set(key, stored.value)
        break
      case 'bytes':
        await redis.set(key, Buffer.from(stored.base64, 'base64'))
        break
      case 'hash':
        await redis.hset(key, stored.value)
        break
      case 'zset':
        for (let i = 0; i < stored.value.length; i += 2) await redis.zadd(key, stored.value[i + 1]!, stored.value[i]!)
        break
      case 'stream':
        await restoreStream(redis, key, stored)
    }
    if (stored.ttlMs !== undefined) await redis.pexpire(key, stored.ttlMs)
  }
}

async function restoreStream (
  redis: RedisClient, key: string, { value, groups, leased = [] }: StoredStream
): Promise<void> {
  for (const [id, fields] of value) await redis.xadd(key, id, ...fields)
  for (const [group, lastId] of Object.entries(groups)) {
    await redis.xgroup('CREATE', key, group, lastId)
    for (const [id, lease, idleMs, deliveries] of leased) {
      const held = ['IDLE', idleMs, 'RETRYCOUNT', deliveries, 'FORCE', 'JUSTID']
      await redis.call('XCLAIM', key, group, lease, 0, id, ...held)
    }
  }
}
