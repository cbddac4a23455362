import { Keys } from '../../../lib/spool/redis/keys.js'
import type { SentRequest } from '../load.js'
import type { RedisNode } from './redis-node.js'

const SHARDS = 4
const PREFIX = 'chaos'
/** Kinds of the items that are sent. */
const SENT_KINDS = ['logs', 'metrics'] as const

/** The settings of the gateways that the map is made for. */
export const SHARD_SETTINGS = { REDIS_SHARDS: String(SHARDS), REDIS_PREFIX: PREFIX }

/** In which slot of a Redis Cluster the records of a request are. */
export class ShardMap {
  readonly #keys: Keys
  readonly #slots: ReadonlyMap<string, number>

  private constructor (keys: Keys, slots: ReadonlyMap<string, number>) {
    this.#keys = keys
    this.#slots = slots
  }

  static async read ({ client }: RedisNode): Promise<ShardMap> {
    const keys = new Keys(PREFIX, SHARDS)
    const bases = SENT_KINDS.flatMap(kind => keys.all(kind))
    const slots = await Promise.all(bases.map(base => client.cluster('KEYSLOT', base)))
    return new ShardMap(keys, new Map(bases.map((base, i) => [base, Number(slots[i])])))
  }

  slotOf ({ kind, destination }: SentRequest): number {
    return this.#slots.get(this.#keys.base(kind, this.#keys.shardOf(destination)))!
  }
}
