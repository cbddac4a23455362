import { crc32 } from 'node:zlib'
import { KEY_TTL_MS, keyBytesOf, keyLimits, type KeyLimits } from '../key-limits.js'
import type { KeyedRequest } from '../spool.js'
import type { Capacity } from './capacity.js'
import type { Durability } from './checks.js'
import { keysOf } from './commands.js'
import type { Connection } from './connection.js'
import { runDurably } from './run-durably.js'

/** Shards of idempotency keys, whatever the number of shards of the records: a key is always found in the same one. */
const KEY_SHARDS = 4
/** No request is under way for longer. */
const MAX_HOLD_MS = 60_000

export type Claim =
  /** The key is held for this request. `resumed`: an earlier one with this digest has not finished. */
  | { state: 'claimed' | 'resumed', name: string }
  | { state: 'answered', answer: string }
  | { state: 'under-way' | 'reused' }

/** The idempotency keys of requests, for all processes. */
export class RequestKeys {
  readonly #connection: Connection
  readonly #capacity: Capacity
  readonly #prefix: string
  readonly #limits: KeyLimits
  readonly #durability: Durability

  constructor (connection: Connection, capacity: Capacity, prefix: string, maxBytes: number, durability: Durability) {
    this.#connection = connection
    this.#capacity = capacity
    this.#prefix = prefix
    this.#limits = keyLimits(maxBytes, KEY_SHARDS)
    this.#durability = durability
  }

  /** The base names of the shards. */
  get bases (): string[] {
    return Array.from({ length: KEY_SHARDS }, (_, shard) => this.#base(shard))
  }

  /** Bytes that are kept, of each shard. */
  async bytes (report: (shard: string, bytes: number) => void = () => {}): Promise<number> {
    const shards = this.bases
    const bytes = await Promise.all(shards.map(base =>
      this.#connection.run(client => client.hget(`${base}:bytes`, ''))))
    bytes.forEach((count, i) => report(shards[i]!, Number(count ?? 0)))
    return bytes.reduce((sum, count) => sum + Number(count ?? 0), 0)
  }

  /** @throws SpoolFullError when the key does not fit; SpoolUnavailableError */
  async claim ({ application, key, digest, answer, holdMs }: KeyedRequest): Promise<Claim> {
    const base = this.#baseOf(key)
    const bytes = keyBytesOf(answer)
    await this.#capacity.reserve(bytes)
    try {
      const { applicationBytes, totalBytes } = this.#limits
      const [state, stored, rest = ''] = await this.#connection.run(client => client.postmanClaimKey(
        ...keysOf(base), key, application, digest, answer, bytes, KEY_TTL_MS, Math.min(holdMs, MAX_HOLD_MS),
        applicationBytes, totalBytes, MAX_HOLD_MS
      ))
      this.#capacity.report(base, stored)
      if (state === 'answered') return { state, answer: rest }
      return state === 'claimed' || state === 'resumed' ? { state, name: rest } : { state }
    } finally {
      this.#capacity.release(bytes)
    }
  }

  /**
   * The request is stored. Never rejects: a claim that is not ended is held no longer than its request said.
   * @returns whether a repeated request is answered from now on; otherwise it may go on with the request
   */
  async finish ({ key }: KeyedRequest, name: string, answer?: string): Promise<boolean> {
    // The replica of another node forgets the marks: were this one behind it, neither would know the request.
    return await this.#end(key, name, this.#durability === 'wait' ? 'wait' : 'none', 'finish', answer ?? '')
  }

  /** The request may be stored in part: a repeated one goes on with it. Never rejects. */
  async release ({ key }: KeyedRequest, name: string): Promise<void> {
    await this.#end(key, name, 'none', 'release')
  }

  /** Nothing of the request is stored. Never rejects. */
  async forget ({ application, key, answer }: KeyedRequest, name: string): Promise<void> {
    await this.#end(key, name, 'none', 'forget', '', application, keyBytesOf(answer))
  }

  /** @returns whether the claim was still held, and has been ended */
  async #end (key: string, name: string, durability: Durability, ...args: (string | number)[]): Promise<boolean> {
    const base = this.#baseOf(key)
    const ending = this.#connection.run(client => runDurably<[wasHeld: number, stored: number]>(
      client, durability, 'postmanEndKey', base, [key, name, ...args]
    ))
    const ended = await ending.catch(() => null)
    if (ended === null) return false
    const [wasHeld, stored] = ended
    this.#capacity.report(base, stored)
    return wasHeld === 1
  }

  #baseOf (key: string): string {
    return this.#base(crc32(key) % KEY_SHARDS)
  }

  #base (shard: number): string {
    return `{${this.#prefix}:keys:${shard}}`
  }
}
