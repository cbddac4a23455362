import type { Registers } from '../state/store.js'
import { KeyedHash } from './keyed-hash.js'

const INDEX_BITS = 12
/** A register for each possible index: 4 KiB. */
export const REGISTERS = 2 ** INDEX_BITS
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)
/** Below this estimate the number of empty registers tells more than the ranks do. */
const LINEAR_COUNTING_LIMIT = 2.5 * REGISTERS

export interface Series {
  MetricName: string
  Dimensions?: ReadonlyArray<{ Name: string, Value: string }> | undefined
}

/**
 * Counts distinct series in 4 KiB (HyperLogLog): exact to about one in a hundred up to some thousands, within 2 % as a
 * rule beyond. The registers of two processes can be merged when both hash with the same key.
 */
export class HyperLogLog {
  readonly #hash: KeyedHash
  readonly #registers = new Uint8Array(REGISTERS)
  #changed = new Set<number>()
  #estimate: number | null = 0

  /** @param hash keyed, so that nobody can choose values that fall into the same registers */
  constructor (hash: KeyedHash) {
    this.#hash = hash
  }

  /** A series is the same for any order of its dimensions. */
  add (namespace: string, { MetricName, Dimensions = [] }: Series): void {
    const hash = this.#hash
    let [high, low] = [0, 0]
    for (const { Name, Value } of Dimensions) {
      hash.start().text(Name).text(Value).end()
      high = (high + hash.high) | 0
      low = (low + hash.low) | 0
    }
    hash.start().text(namespace).text(MetricName).word(high).word(low).end()
    // The bits of the index come first; a rank of the others is at most their number and one.
    const index = hash.high >>> (32 - INDEX_BITS)
    const next = hash.high << INDEX_BITS | hash.low >>> (32 - INDEX_BITS)
    const last = hash.low << INDEX_BITS | 1 << (INDEX_BITS - 1)
    this.#raise(index, (next === 0 ? 32 + Math.clz32(last) : Math.clz32(next)) + 1, true)
  }

  merge (registers: Uint8Array): void {
    for (let index = 0; index < registers.length; index++) this.#raise(index, registers[index]!, false)
  }

  /** The registers that `add` has raised since they were last taken, in order to be stored. */
  takeChanged (): Registers {
    const changed: Registers = Array.from(this.#changed, index => [index, this.#registers[index]!])
    this.#changed = new Set()
    return changed
  }

  /** Marks registers that could not be stored, so that they are taken again. */
  giveBack (registers: Registers): void {
    for (const [index] of registers) this.#changed.add(index)
  }

  /** The estimated number of distinct series. */
  count (): number {
    this.#estimate ??= this.#compute()
    return this.#estimate
  }

  #raise (index: number, rank: number, changed: boolean): void {
    if (this.#registers[index]! >= rank) return
    this.#registers[index] = rank
    this.#estimate = null
    if (changed) this.#changed.add(index)
  }

  #compute (): number {
    let sum = 0
    let empty = 0
    for (const rank of this.#registers) {
      sum += 2 ** -rank
      if (rank === 0) empty++
    }
    const estimate = ALPHA * REGISTERS ** 2 / sum
    return Math.round(estimate <= LINEAR_COUNTING_LIMIT && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : estimate)
  }
}
