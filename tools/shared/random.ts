/** Mulberry32: the same seed gives the same numbers. */
export class Random {
  #state: number

  constructor (seed: number) {
    this.#state = seed | 0
  }

  /** A number in [0, 1). */
  next (): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from min to max, both included. */
  int (min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  pick<T> (list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!
  }

  chance (probability: number): boolean {
    return this.next() < probability
  }

  shuffled<T> (list: readonly T[]): T[] {
    const result = [...list]
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      const moved = result[i]!
      result[i] = result[j]!
      result[j] = moved
    }
    return result
  }
}
