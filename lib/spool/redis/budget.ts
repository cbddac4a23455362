import { monotonicNow } from '../../clock.js'
import type { MonotonicMs } from '../../../schemas/common.js'
import { SpoolFullError } from '../spool.js'

/** How long a count of the bytes of all shards is recent enough. */
const REFRESH_MS = 250

/**
 * Keeps the spool within its bytes over all shards. The appends and settlements of this process count at once, those of
 * other processes with the next count; so several processes may together overshoot by the bytes they store until then.
 */
export class Budget {
  readonly #maxBytes: number
  readonly #countShards: (report: (shard: string, stored: number) => void) => Promise<unknown>
  /** Bytes of each shard. Redis answers in the order of the calls, so the last answer is the latest. */
  readonly #stored = new Map<string, number>()
  #pending = 0
  #countedAt: MonotonicMs = -Infinity
  #counting: Promise<Error | null> | null = null

  /** @param countShards asks every shard for its bytes and reports them */
  constructor (maxBytes: number, countShards: (report: (shard: string, stored: number) => void) => Promise<unknown>) {
    this.#maxBytes = maxBytes
    this.#countShards = countShards
  }

  /**
   * Counts the bytes until `release`.
   * @throws SpoolFullError when they do not fit; Error of `countShards` when they could not be counted
   */
  async reserve (bytes: number): Promise<void> {
    if (monotonicNow() - this.#countedAt > REFRESH_MS) {
      const counting = this.#refresh()
      // Other processes may have made room, so only a fresh count says that it is full.
      const failure = this.#fits(bytes) ? null : await counting
      if (failure !== null) throw failure
    }
    if (!this.#fits(bytes)) throw this.error()
    this.#pending += bytes
  }

  release (bytes: number): void {
    this.#pending -= bytes
  }

  /** Takes note of the bytes that a shard holds. */
  report (shard: string, stored: number): void {
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
    this.#counting ??= this.#countShards((shard, stored) => this.report(shard, stored)).then(() => {
      this.#countedAt = monotonicNow()
      return null
    }, (error: Error) => error).finally(() => { this.#counting = null })
    return this.#counting
  }
}
