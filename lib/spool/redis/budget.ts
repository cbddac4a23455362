import { SpoolFullError } from '../spool.js'

/** How long the bytes of all shards, as last counted, are good enough. */
const REFRESH_MS = 250

/**
 * Keeps the spool within its bytes over all shards. What other processes store shows with the next count, so several
 * of them may together overshoot by what they store in that time.
 */
export class Budget {
  readonly #maxBytes: number
  readonly #count: () => Promise<number>
  /** As last counted, and what this process has changed since. */
  #stored = 0
  #pending = 0
  #countedAt = -Infinity
  #counting: Promise<void> | null = null

  constructor (maxBytes: number, count: () => Promise<number>) {
    this.#maxBytes = maxBytes
    this.#count = count
  }

  /** @throws SpoolFullError when the bytes do not fit; else they are counted until `release` */
  async reserve (bytes: number): Promise<void> {
    if (Date.now() - this.#countedAt > REFRESH_MS) {
      const counting = this.#refresh()
      // Others may have made room, so only a fresh count says that it is full.
      if (!this.#fits(bytes)) await counting
    }
    if (!this.#fits(bytes)) throw this.error()
    this.#pending += bytes
  }

  release (bytes: number): void {
    this.#pending -= bytes
  }

  /** This process has stored these bytes, or removed them when negative. */
  changed (bytes: number): void {
    this.#stored = Math.max(0, this.#stored + bytes)
  }

  error (): SpoolFullError {
    return new SpoolFullError(`the spool holds its maximum of ${this.#maxBytes} bytes`)
  }

  #fits (bytes: number): boolean {
    return this.#stored + this.#pending + bytes <= this.#maxBytes
  }

  #refresh (): Promise<void> {
    this.#counting ??= this.#count().then(stored => {
      this.#stored = stored
      this.#countedAt = Date.now()
    }, () => {}).finally(() => { this.#counting = null })
    return this.#counting
  }
}
