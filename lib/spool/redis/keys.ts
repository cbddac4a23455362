import { crc32 } from 'node:zlib'
import { KINDS, type Kind } from '../../../schemas/kinds.js'

/** Digits at the end of the name of a destination that count as its number. */
const MAX_DIGITS = 9

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

  /**
   * The shard that new records of a destination go to. Destinations whose names differ in the number at their end alone
   * take the shards in turn, so that the log streams which one is split over spread evenly.
   */
  shardOf (destination: string): number {
    const nameLength = lengthWithoutNumber(destination)
    const number = Number(destination.slice(nameLength))
    return (crc32(destination.slice(0, nameLength)) + number) % this.#shards
  }

  base (kind: Kind, shard: number): string {
    return `{${this.#prefix}:${kind}:${shard}}`
  }

  /** Where scripts that write under a base name tell when a destination is due. */
  channel (base: string): string {
    return this.#sharded ? base : `${this.#prefix}:due`
  }

  /** The channel of a shard and its name in messages, for scripts. */
  tells (base: string): [channel: string, shard: string] {
    return [this.channel(base), nameOf(base)]
  }

  /**
   * Reads what a script tells: "kind shard milliseconds", in which a destination of the shard is due, or, of a process
   * of an earlier version, the kind whose shards may have something due.
   * @returns null for any other message
   */
  readTold (message: string): { kind: Kind, bases: string[], waitMs: number } | null {
    const [name, shard, waitMs] = message.split(' ')
    const kind = KINDS.find(each => each === name)
    if (kind === undefined) return null
    if (shard === undefined) return { kind, bases: this.all(kind), waitMs: 0 }
    return { kind, bases: [this.base(kind, Number(shard))], waitMs: Number(waitMs) }
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

/** "kind shard" of a base name. */
function nameOf (base: string): string {
  return base.slice(1, -1).split(':').slice(-2).join(' ')
}

function lengthWithoutNumber (name: string): number {
  const shortest = Math.max(0, name.length - MAX_DIGITS)
  let length = name.length
  while (length > shortest && isDigit(name.charCodeAt(length - 1))) length--
  return length
}

function isDigit (code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
