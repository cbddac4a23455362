import type { ChainableCommander, Redis } from 'ioredis'
import type { Revocation } from '../access/revocations.js'
import { subscribe, type Subscription } from '../redis/subscription.js'
import type { Registers } from '../usage/hyperloglog.js'
import { DAY_MS, StateStoreError, USAGE_DAYS, type Counts, type StateStore, type WindowCount, type WindowTotal } from './store.js'

const TIMEOUT_MS = 2_000
const VERSION_FIELD = 'version'
const USAGE_TTL_SECONDS = USAGE_DAYS * DAY_MS / 1000

/** KEYS[1] counter; ARGV by, window in ms. Returns the total and the milliseconds left. */
const COUNT = `
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return { total, left }
`

const COUNT_COMMAND = 'postmanCount'
type CountingPipeline = ChainableCommander & { [COUNT_COMMAND]: (key: string, by: number, windowMs: number) => unknown }

/** KEYS[1] string of one byte a register; ARGV seconds to live, then index and rank by turns. Returns the string. */
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

/** KEYS[1] hash of the revocations; ARGV id, revocation. A later time is never replaced by an earlier one. */
const REVOKE = `
local known = redis.call('HGET', KEYS[1], ARGV[1])
local revocation = cjson.decode(ARGV[2])
if known and (cjson.decode(known).issuedBefore or 0) > (revocation.issuedBefore or 0) then return end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HINCRBY', KEYS[1], '${VERSION_FIELD}', 1)
`

export interface RedisStateStoreOptions {
  /** Shared, not closed here. */
  redis: Redis
  /** What every key starts with. */
  prefix: string
  /** Unix milliseconds. */
  now: () => number
}

/** @throws SharedStoreError when one command was refused */
function valuesOf (replies: Array<[Error | null, unknown]> | null): unknown[] {
  return (replies ?? []).map(([error, value]) => {
    if (error !== null) throw new StateStoreError(`Redis refuses: ${error.message}`, { cause: error })
    return value
  })
}

/** What processes know together, in the Redis that they share. */
export class RedisStateStore implements StateStore {
  readonly shared = true
  readonly #redis: Redis
  readonly #prefix: string
  readonly #now: () => number
  readonly #listeners: Array<(revocation: Revocation) => void> = []
  #subscription: Subscription | null = null

  private constructor ({ redis, prefix, now }: RedisStateStoreOptions) {
    this.#redis = redis
    // As a command it is sent as a hash: there may be a count for each of many thousand addresses.
    if (!(COUNT_COMMAND in redis)) redis.defineCommand(COUNT_COMMAND, { numberOfKeys: 1, lua: COUNT })
    this.#prefix = prefix
    this.#now = now
  }

  /** Listens before it returns, so that no revocation is missed. */
  static async open (options: RedisStateStoreOptions): Promise<RedisStateStore> {
    const store = new RedisStateStore(options)
    store.#subscription = subscribe(options.redis, store.#revocationsKey, message => {
      const revocation = JSON.parse(message) as Revocation
      for (const listener of store.#listeners) listener(revocation)
    })
    try {
      await store.#subscription.listening
    } catch (error) {
      await store.close()
      throw error
    }
    return store
  }

  async countInWindows (counts: WindowCount[]): Promise<WindowTotal[]> {
    if (counts.length === 0) return []
    const pipeline = this.#redis.pipeline() as CountingPipeline
    for (const { key, by, windowMs } of counts) pipeline.postmanCount(`${this.#prefix}:window:${key}`, by, windowMs)
    const replies = await this.#ask(() => pipeline.exec())
    return valuesOf(replies).map(reply => {
      const [total, endsInMs] = reply as [number, number]
      return { total, endsInMs }
    })
  }

  async setIfAbsent (key: string, ttlMs: number): Promise<boolean> {
    return await this.#ask(() => this.#redis.set(`${this.#prefix}:claim:${key}`, 1, 'PX', Math.ceil(ttlMs), 'NX')) === 'OK'
  }

  async setMany (texts: Record<string, string>, ttlMs: number): Promise<void> {
    const pipeline = this.#redis.pipeline()
    for (const [key, text] of Object.entries(texts)) pipeline.set(this.#keptKey(key), text, 'PX', Math.ceil(ttlMs))
    if (pipeline.length > 0) valuesOf(await this.#ask(() => pipeline.exec()))
  }

  async getMany (keys: string[]): Promise<Map<string, string>> {
    if (keys.length === 0) return new Map()
    const texts = await this.#ask(() => this.#redis.mget(keys.map(key => this.#keptKey(key))))
    return new Map(keys.flatMap((key, i) => texts[i] === null ? [] : [[key, texts[i]!]]))
  }

  async revoke (revocation: Revocation): Promise<void> {
    const json = JSON.stringify(revocation)
    await this.#ask(() => this.#redis.eval(REVOKE, 1, this.#revocationsKey, revocation.id, json))
    await this.#ask(() => this.#redis.publish(this.#revocationsKey, json))
  }

  async revocations (): Promise<Revocation[]> {
    const { [VERSION_FIELD]: _version, ...fields } = await this.#ask(() => this.#redis.hgetall(this.#revocationsKey))
    const revocations = Object.values(fields).map(json => JSON.parse(json) as Revocation)
    const now = this.#now()
    const expired = revocations.filter(({ expiresAt }) => expiresAt <= now).map(({ id }) => id)
    if (expired.length > 0) await this.#ask(() => this.#redis.hdel(this.#revocationsKey, ...expired))
    return revocations.filter(({ expiresAt }) => expiresAt > now)
  }

  async revocationsVersion (): Promise<number> {
    return Number(await this.#ask(() => this.#redis.hget(this.#revocationsKey, VERSION_FIELD)) ?? 0)
  }

  onRevoked (listener: (revocation: Revocation) => void): void {
    this.#listeners.push(listener)
  }

  async addUsage (day: string, counts: Counts): Promise<Counts> {
    const fields = Object.entries(counts)
    if (fields.length === 0) return {}
    const key = this.#usageKey(day)
    // Together or not at all: what is given up is added again.
    const transaction = this.#redis.multi()
    for (const [field, by] of fields) transaction.hincrby(key, field, by)
    transaction.expire(key, USAGE_TTL_SECONDS)
    const totals = valuesOf(await this.#ask(() => transaction.exec()))
    return Object.fromEntries(fields.map(([field], i) => [field, Number(totals[i])]))
  }

  async usage (day: string): Promise<Counts> {
    const fields = await this.#ask(() => this.#redis.hgetall(this.#usageKey(day)))
    return Object.fromEntries(Object.entries(fields).map(([field, count]) => [field, Number(count)]))
  }

  async mergeSeries (day: string, application: string, registers: Registers): Promise<Uint8Array> {
    const key = this.#seriesKey(day, application)
    return await this.#ask(() => this.#redis.callBuffer('EVAL', MERGE, 1, key, USAGE_TTL_SECONDS, ...registers.flat())) as Buffer
  }

  async series (day: string, application: string): Promise<Uint8Array> {
    return await this.#ask(() => this.#redis.getBuffer(this.#seriesKey(day, application))) ?? new Uint8Array()
  }

  async close (): Promise<void> {
    this.#subscription?.close()
  }

  get #revocationsKey (): string {
    return `${this.#prefix}:revocations`
  }

  #keptKey (key: string): string {
    return `${this.#prefix}:kept:${key}`
  }

  #usageKey (day: string): string {
    return `${this.#prefix}:usage:${day}`
  }

  #seriesKey (day: string, application: string): string {
    return `${this.#prefix}:series:${day}:${application}`
  }

  async #ask<T> (send: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    })
    try {
      return await Promise.race([send(), timeout])
    } catch (error) {
      throw new StateStoreError(`Redis cannot be used: ${(error as Error).message}`, { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }
}
