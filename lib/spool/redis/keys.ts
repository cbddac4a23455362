import { crc32 } from 'node:zlib'
import { KINDS, type Kind } from '../../../schemas/kinds.js'

/** Names of keys; the keys under a base name are listed in common.lua.ts. */
export class Keys {
  /** The most shards that this spool has ever had, so that records are found after the number of shards was lowered. */
  readonly shardCount: string
  readonly #prefix: string
  readonly #shards: number
  readonly #stored: number
  readonly #sharded: boolean

  /**
   * @param shards over which new records are spread
   * @param stored shards that may hold records
   * @param sharded whether messages are published in the shard of their channel alone
   */
  constructor (prefix: string, shards: number, stored = shards, sharded = false) {
    this.#prefix = prefix
    this.#shards = shards
    this.#stored = Math.max(shards, stored)
    this.#sharded = sharded
    this.shardCount = `${prefix}:shards`
  }

  /** The shard that new records of a destination go to. */
  shardOf (destination: string): number {
    return crc32(destination) % this.#shards
  }

  base (kind: Kind, shard: number): string {
    return `{${this.#prefix}:${kind}:${shard}}`
  }

  /** Where scripts that write under a base name tell that a destination is due. */
  channel (base: string): string {
    return this.#sharded ? base : `${this.#prefix}:due`
  }

  channels (): string[] {
    return [...new Set(this.all().map(base => this.channel(base)))]
  }

  /** The base names of a kind, or of all. */
  all (kind?: Kind): string[] {
    const kinds = kind === undefined ? KINDS : [kind]
    return kinds.flatMap(each => Array.from({ length: this.#stored }, (_, shard) => this.base(each, shard)))
  }
}
