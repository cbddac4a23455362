import { SpoolFullError } from '../spool.js'

/** How long the bytes of all shards, as last counted, are good enough. */
const REFRESH_MS = 250

/**
 * Keeps the spool within its bytes over all shards. What this process stores and removes shows at once, what others do
 * with the next count; so several of them may together overshoot by what they store until then.
 */
export class Budget {
  readonly #maxBytes: number
  readonly #count: (heard: (shard: string, stored: number) => void) => Promise<unknown>
  /** Bytes of each shard. Answers come in the order of the calls, so the last one heard is the latest. */
  readonly #stored = new Map<string, number>()
  #pending = 0
  #countedAt = -Infinity
  #counting: Promise<Error | null> | null = null

  /** @param count asks every shard and tells what it has heard */
  constructor (maxBytes: number, count: (heard: (shard: string, stored: number) => void) => Promise<unknown>) {
    this.#maxBytes = maxBytes
    this.#count = count
  }

  /**
   * Counts the bytes until `release`.
   * @throws SpoolFullError when they do not fit, or what `count` has thrown when nobody can say
   */
  async reserve (bytes: number): Promise<void> {
    if (Date.now() - this.#countedAt > REFRESH_MS) {
      const counting = this.#refresh()
      // Others may have made room, so only a fresh count says that it is full.
      const failure = this.#fits(bytes) ? null : await counting
      if (failure !== null) throw failure
    }
    if (!this.#fits(bytes)) throw this.error()
    this.#pending += bytes
  }

  release (bytes: number): void {
    this.#pending -= bytes
  }

  /** A shard has answered how much it holds. */
  heard (shard: string, stored: number): void {
    this.#stored.set(shard, stored)
  }

  error (): SpoolFullError {
    return new SpoolFullError(`the spool holds its maximum of ${this.#maxBytes} bytes`)
  }

  #fits (bytes: number): boolean {
    let sum = this.#pending + bytes
    for (const stored of this.#stored.values()) sum += stored
    return sum <= this.#maxBytes
  }

  /** @returns why it could not be counted */
  #refresh (): Promise<Error | null> {
    this.#counting ??= this.#count((shard, stored) => this.heard(shard, stored)).then(() => {
      this.#countedAt = Date.now()
      return null
    }, (error: Error) => error).finally(() => { this.#counting = null })
    return this.#counting
  }
}
