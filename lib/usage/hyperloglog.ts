import type { Registers } from '../state/store.js'
import type { KeyedHash } from './keyed-hash.js'

const INDEX_BITS = 12
/** A register for each possible index: 4 KiB. */
export const REGISTERS = 2 ** INDEX_BITS
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)
/** Below this estimate the number of empty registers tells more than the ranks do. */
const LINEAR_COUNTING_LIMIT = 2.5 * REGISTERS

/**
 * Counts distinct texts in 4 KiB (HyperLogLog): exact to about one in a hundred up to some thousands, within 2 % as a
 * rule beyond. The registers of two processes can be merged when both hash with the same key.
 */
export class HyperLogLog {
  readonly #hash: KeyedHash
  readonly #registers = new Uint8Array(REGISTERS)
  #changed = new Set<number>()
  #estimate: number | null = 0

  /** @param hash keyed, so that nobody can choose texts that fall into the same registers */
  constructor (hash: KeyedHash) {
    this.#hash = hash
  }

  add (text: string): void {
    const { high, low } = this.#hash(text)
    // The bits of the index come first; a rank of the others is at most their number and one.
    const index = high >>> (32 - INDEX_BITS)
    const next = high << INDEX_BITS | low >>> (32 - INDEX_BITS)
    const last = low << INDEX_BITS | 1 << (INDEX_BITS - 1)
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

  /** The estimated number of distinct texts. */
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
    return Math.round(
      estimate <= LINEAR_COUNTING_LIMIT && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : estimate
    )
  }
}
