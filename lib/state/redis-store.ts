import { crc32 } from 'node:zlib'
import { DAY_MS, type UnixMs } from '../../schemas/common.js'
import { answerWithin } from '../redis/ask.js'
import { sendAll, valuesOf, type RedisClient, type RedisCommand } from '../redis/redis-client.js'
import { publish, subscribe, type Subscription } from '../redis/subscribe.js'
import {
  CLOCK_SLACK_MS, KEPT_DAYS, StateStoreError,
  type BoundedTexts, type BoundedTextsOptions, type DailyCounters, type DailyRegisters, type SetEntry,
  type StateStore, type VersionedSet, type WindowIncrement, type WindowTotal
} from './store.js'

const TIMEOUT_MS = 2_000
const VERSION_FIELD = 'version'
const DAILY_TTL_SECONDS = KEPT_DAYS * DAY_MS / 1000

/** KEYS[1] counter; ARGV increment, window in ms. Returns the total and the milliseconds left. */
const COUNT = `
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
-- More than a window is left when the clock of the server was set back.
if left < 0 or left > tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { total, left }
`

const COUNT_COMMAND = 'postmanCount'

/** Hashes over which bounded texts are spread, so that to forget one of them takes Redis no noticeable time. */
const BOUNDED_HASHES = 32

/**
 * KEYS[1] hash of the texts that were set last, by key; KEYS[2] hash of those before; ARGV texts that a hash holds,
 * milliseconds to live, then key and text by turns. A hash that is full takes the place of the older one.
 */
const PUT_BOUNDED = `
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then
    redis.call('UNLINK', KEYS[2])
    redis.call('RENAME', KEYS[1], KEYS[2])
  end
end
for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
`

/** KEYS[1] string of one byte a register; ARGV seconds to live, then index and value by turns. Returns the string. */
const MERGE = `
for i = 2, #ARGV, 2 do
  local at = tonumber(ARGV[i])
  local byte = redis.call('GETRANGE', KEYS[1], at, at)
  if byte == '' or string.byte(byte) < tonumber(ARGV[i + 1]) then
    redis.call('SETRANGE', KEYS[1], at, string.char(tonumber(ARGV[i + 1])))
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('GET', KEYS[1]) or ''
`

/**
 * KEYS[1] hash of a versioned set; ARGV id, entry as JSON, name of the field that holds the rank. An entry is never
 * replaced by one of a lower rank.
 */
const PUT_ENTRY = `
local known = redis.call('HGET', KEYS[1], ARGV[1])
local entry = cjson.decode(ARGV[2])
if known and (cjson.decode(known)[ARGV[3]] or 0) > (entry[ARGV[3]] or 0) then return end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
-- A server that has lost its data must not come to a version that a process knows from before.
local time = redis.call('TIME')
if redis.call('HSETNX', KEYS[1], '${VERSION_FIELD}', time[1] .. string.format('%06d', time[2])) == 0 then
  redis.call('HINCRBY', KEYS[1], '${VERSION_FIELD}', 1)
end
`

export interface RedisStateStoreOptions {
  /** Shared, not closed here. */
  redis: RedisClient
  /** Every key starts with it. */
  prefix: string
  now: () => UnixMs
}

function storeError (error: Error): StateStoreError {
  const fault = error.name === 'ReplyError' ? 'refuses' : 'cannot be used'
  return new StateStoreError(`Redis (REDIS_URL) ${fault}: ${error.message}`, { cause: error })
}

function groupBy (keys: readonly string[], groupOf: (key: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const key of keys) {
    const group = groups.get(groupOf(key))
    if (group === undefined) groups.set(groupOf(key), [key])
    else group.push(key)
  }
  return groups
}

/** State that processes share in the Redis that they share. */
export class RedisStateStore implements StateStore {
  readonly shared = true
  readonly #redis: RedisClient
  readonly #prefix: string
  readonly #now: () => UnixMs
  readonly #subscriptions: Subscription[] = []

  constructor ({ redis, prefix, now }: RedisStateStoreOptions) {
    this.#redis = redis
    // As a command it is sent as a hash: there may be a count for each of many thousand addresses.
    if (!(COUNT_COMMAND in redis)) redis.defineCommand(COUNT_COMMAND, { numberOfKeys: 1, lua: COUNT })
    this.#prefix = prefix
    this.#now = now
  }

  async countInWindows (increments: WindowIncrement[]): Promise<WindowTotal[]> {
    const replies = await this.#askAll(increments.map(({ key, by, windowMs }) =>
      [COUNT_COMMAND, `${this.#prefix}:window:${key}`, by, windowMs]))
    return (replies as Array<[number, number]>).map(([total, endsInMs]) => ({ total, endsInMs }))
  }

  async setIfAbsent (key: string, ttlMs: number): Promise<boolean> {
    const claim = `${this.#prefix}:claim:${key}`
    return await this.#ask(() => this.#redis.set(claim, 1, 'PX', Math.ceil(ttlMs), 'NX')) === 'OK'
  }

  async setMany (texts: Record<string, string>, ttlMs: number): Promise<void> {
    await this.#askAll(Object.entries(texts).map(([key, text]) =>
      ['set', this.#textKey(key), text, 'PX', Math.ceil(ttlMs)]))
  }

  async getMany (keys: string[]): Promise<Map<string, string>> {
    const texts = await this.#askAll(keys.map(key => ['get', this.#textKey(key)])) as Array<string | null>
    return new Map(keys.flatMap((key, i) => texts[i] === null ? [] : [[key, texts[i]!]]))
  }

  boundedTexts (name: string, { max, ttlMs }: BoundedTextsOptions): BoundedTexts {
    const hashMax = Math.max(1, Math.floor(max / (2 * BOUNDED_HASHES)))
    // A hash tag, as a script moves the texts of one hash to the other.
    const hashOf = (key: string): string => `${this.#prefix}:bounded:{${name}:${crc32(key) % BOUNDED_HASHES}}`
    const olderOf = (hash: string): string => `${hash}:older`
    return {
      setMany: async texts => {
        await this.#askAll([...groupBy(Object.keys(texts), hashOf)].map(([hash, keys]) => {
          const pairs = keys.flatMap(key => [key, texts[key]!])
          return ['eval', PUT_BOUNDED, 2, hash, olderOf(hash), hashMax, Math.ceil(ttlMs), ...pairs]
        }))
      },
      getMany: async keys => {
        const known = new Map<string, string>()
        const lookups = [...groupBy(keys, hashOf)].flatMap(([hash, group]) =>
          [[olderOf(hash), group], [hash, group]] as const)
        const commands = lookups.map(([hash, group]): [string, ...string[]] => ['hmget', hash, ...group])
        const replies = await this.#askAll(commands) as Array<Array<string | null>>
        for (const [i, [, group]] of lookups.entries()) {
          for (const [j, key] of group.entries()) {
            const text = replies[i]![j]!
            if (text !== null) known.set(key, text)
          }
        }
        return known
      }
    }
  }

  dailyCounters (name: string): DailyCounters {
    const keyOf = (day: string): string => `${this.#prefix}:${name}:${day}`
    return {
      add: async (day, counts) => {
        const counters = Object.entries(counts)
        if (counters.length === 0) return {}
        const transaction = this.#redis.multi()
        for (const [counter, by] of counters) transaction.hincrby(keyOf(day), counter, by)
        transaction.expire(keyOf(day), DAILY_TTL_SECONDS)
        const totals = await this.#ask(async () => valuesOf(await transaction.exec()))
        return Object.fromEntries(counters.map(([counter], i) => [counter, Number(totals[i])]))
      },
      get: async day => {
        const counters = await this.#ask(() => this.#redis.hgetall(keyOf(day)))
        return Object.fromEntries(Object.entries(counters).map(([counter, total]) => [counter, Number(total)]))
      }
    }
  }

  dailyRegisters (name: string): DailyRegisters {
    const keyOf = (day: string, key: string): string => `${this.#prefix}:${name}:${day}:${key}`
    return {
      merge: async (day, key, registers) => {
        const args = [MERGE, 1, keyOf(day, key), DAILY_TTL_SECONDS, ...registers.flat()]
        return await this.#ask(() => this.#redis.callBuffer('eval', ...args)) as Buffer
      },
      get: async (day, key) => await this.#ask(() => this.#redis.getBuffer(keyOf(day, key))) ?? new Uint8Array()
    }
  }

  versionedSet<Entry extends SetEntry> (name: string, rankField: keyof Entry & string): VersionedSet<Entry> {
    /** The key of the hash of the entries by id, and the channel to which they are published. */
    const key = `${this.#prefix}:${name}`
    return {
      put: async entry => {
        const json = JSON.stringify(entry)
        await this.#ask(() => this.#redis.eval(PUT_ENTRY, 1, key, entry.id, json, rankField))
        await this.#ask(() => publish(this.#redis, key, json))
      },
      list: async () => {
        const { [VERSION_FIELD]: _version, ...fields } = await this.#ask(() => this.#redis.hgetall(key))
        const entries = Object.values(fields).map(json => JSON.parse(json) as Entry)
        const now = this.#now()
        const expired = entries.filter(({ expiresAt }) => expiresAt <= now - CLOCK_SLACK_MS).map(({ id }) => id)
        if (expired.length > 0) await this.#ask(() => this.#redis.hdel(key, ...expired))
        return entries.filter(({ expiresAt }) => expiresAt > now)
      },
      version: async () => Number(await this.#ask(() => this.#redis.hget(key, VERSION_FIELD)) ?? 0),
      subscribe: async listener => {
        const subscription = subscribe(this.#redis, [key], message => listener(JSON.parse(message) as Entry))
        this.#subscriptions.push(subscription)
        await subscription.listening.catch((error: Error) => { throw storeError(error) })
      }
    }
  }

  async close (): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.close()
  }

  #textKey (key: string): string {
    return `${this.#prefix}:kept:${key}`
  }

  async #askAll (commands: RedisCommand[]): Promise<unknown[]> {
    return commands.length === 0 ? [] : await this.#ask(() => sendAll(this.#redis, commands))
  }

  async #ask<T> (send: () => Promise<T>): Promise<T> {
    try {
      return await answerWithin(TIMEOUT_MS, send())
    } catch (error) {
      throw storeError(error as Error)
    }
  }
}
