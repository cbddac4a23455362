const BUCKETS_PER_OCTAVE = 32

/** Delays of delivered items, known to two percent. */
export class Delays {
  readonly #counts = new Map<number, number>()
  #total = 0

  add (ms: number, items: number): void {
    const bucket = Math.round(Math.log2(Math.max(1, ms)) * BUCKETS_PER_OCTAVE)
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + items)
    this.#total += items
  }

  addAll (delays: Delays): void {
    for (const [bucket, items] of delays.#counts) {
      this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + items)
      this.#total += items
    }
  }

  /** The percentile in milliseconds; null when nothing was delivered. @param share 0 to 1 */
  percentile (share: number): number | null {
    let left = this.#total * share
    for (const [bucket, items] of [...this.#counts].sort(([a], [b]) => a - b)) {
      left -= items
      if (left <= 0) return 2 ** (bucket / BUCKETS_PER_OCTAVE)
    }
    return null
  }
}
