import { crc32 } from 'node:zlib'
import { KINDS, type Kind } from '../../../schemas/kinds.js'

/** Names of keys; the keys under a base name are listed in common.lua.ts. */
export class Keys {
  readonly channel: string
  /** The most shards that this spool has ever had, so that records are found after the number of shards was lowered. */
  readonly shardCount: string
  readonly #prefix: string
  readonly #shards: number
  readonly #stored: number

  /**
   * @param shards over which new records are spread
   * @param stored shards that may hold records
   */
  constructor (prefix: string, shards: number, stored = shards) {
    this.#prefix = prefix
    this.#shards = shards
    this.#stored = Math.max(shards, stored)
    this.channel = `${prefix}:due`
    this.shardCount = `${prefix}:shards`
  }

  /** The shard that new records of a destination go to. */
  shardOf (destination: string): number {
    return crc32(destination) % this.#shards
  }

  base (kind: Kind, shard: number): string {
    return `{${this.#prefix}:${kind}:${shard}}`
  }

  /** The base names of a kind, or of all. */
  all (kind?: Kind): string[] {
    const kinds = kind === undefined ? KINDS : [kind]
    return kinds.flatMap(each => Array.from({ length: this.#stored }, (_, shard) => this.base(each, shard)))
  }
}
