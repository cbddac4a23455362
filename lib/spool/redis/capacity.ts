import { monotonicNow } from '../../clock.js'
import type { MonotonicMs } from '../../../schemas/common.js'
import { ApplicationBytes, fitsShare, isContested } from '../application-share.js'
import { ShareFullError, SpoolFullError } from '../spool.js'

/** How long a count of the bytes of all shards is recent enough. */
const REFRESH_MS = 250

export interface CapacityOptions {
  maxBytes: number
  /** Whether there are several applications, so that each has a share. */
  isShared: () => boolean
  /** Asks every shard for its bytes and reports them. */
  countShards: (report: (shard: string, stored: number) => void) => Promise<unknown>
  /** Asks every shard for the bytes of each application and reports them. */
  countApplications: (report: (application: string, held: number) => void) => Promise<unknown>
}

/**
 * Keeps the spool within its bytes over all shards, and each application within its share. The appends and settlements
 * of this process count at once, those of other processes with the next count; so several processes may together
 * overshoot by the bytes they store until then.
 */
export class Capacity {
  readonly #options: CapacityOptions
  /** Bytes of each shard. Redis answers in the order of the calls, so the last answer is the latest. */
  readonly #stored = new Map<string, number>()
  readonly #shardCount: Count
  /** As of the last count, with the appends and settlements of this process since. */
  #held = new ApplicationBytes()
  /** Becomes `#held` when the count that is under way has ended. */
  #nextHeld: ApplicationBytes | null = null
  readonly #applicationCount: Count
  #pending = 0
  readonly #pendingOf = new ApplicationBytes()

  constructor (options: CapacityOptions) {
    this.#options = options
    this.#shardCount = new Count(() => options.countShards((shard, stored) => this.report(shard, stored)))
    this.#applicationCount = new Count(() => this.#countApplications())
  }

  /**
   * Counts the bytes until `release`.
   * @param application whose share they count against; empty for none
   * @throws SpoolFullError when they do not fit; Error of a count that failed
   */
  async reserve (bytes: number, application = ''): Promise<void> {
    if (!this.#shardCount.isRecent) {
      const { hasCounted } = this.#shardCount
      const counting = this.#shardCount.renew()
      // Other processes may have made room, so only a fresh count says that it is full.
      const failure = hasCounted && this.#fits(bytes) ? null : await counting
      if (failure !== null && !this.#fits(bytes)) throw failure
    }
    if (this.#hasShare(bytes, application) && !this.#applicationCount.isRecent) {
      const failure = await this.#applicationCount.renew()
      if (failure !== null) throw failure
    }
    if (!this.#fits(bytes)) throw this.error()
    if (this.#hasShare(bytes, application) && !this.#fitsShare(bytes, application)) {
      throw new ShareFullError(application)
    }
    this.#pending += bytes
    this.#pendingOf.add(application, bytes)
  }

  release (bytes: number, application = ''): void {
    this.#pending -= bytes
    this.#pendingOf.add(application, -bytes)
  }

  /** The application holds so many bytes more, or less. */
  changed (application: string, bytes: number): void {
    this.#held.add(application, bytes)
    this.#nextHeld?.add(application, bytes)
  }

  /** Takes note of the bytes that a shard holds. */
  report (shard: string, stored: number): void {
    this.#stored.set(shard, stored)
  }

  error (): SpoolFullError {
    return new SpoolFullError(`the spool holds its maximum of ${this.#options.maxBytes} bytes`)
  }

  #fits (bytes: number): boolean {
    return this.#sum() + bytes <= this.#options.maxBytes
  }

  /** Whether so much is stored that the share of the application has to be looked at. */
  #hasShare (bytes: number, application: string): boolean {
    const { isShared, maxBytes } = this.#options
    return application !== '' && isShared() && isContested(this.#sum() + bytes, maxBytes)
  }

  #fitsShare (bytes: number, application: string): boolean {
    const held = this.#held.of(application) + this.#pendingOf.of(application)
    return fitsShare(held, bytes, this.#sum(), this.#options.maxBytes)
  }

  #sum (): number {
    let sum = this.#pending
    for (const stored of this.#stored.values()) sum += stored
    return sum
  }

  async #countApplications (): Promise<void> {
    const held = new ApplicationBytes()
    this.#nextHeld = held
    try {
      await this.#options.countApplications((application, bytes) => held.add(application, bytes))
      this.#held = held
    } finally {
      this.#nextHeld = null
    }
  }
}

/** A count that is made again when it is no longer recent. */
class Count {
  readonly #count: () => Promise<unknown>
  #countedAt: MonotonicMs = -Infinity
  #counting: Promise<Error | null> | null = null

  constructor (count: () => Promise<unknown>) {
    this.#count = count
  }

  get hasCounted (): boolean {
    return this.#countedAt > -Infinity
  }

  get isRecent (): boolean {
    return monotonicNow() - this.#countedAt <= REFRESH_MS
  }

  /** @returns why it could not be counted */
  renew (): Promise<Error | null> {
    this.#counting ??= this.#count().then(() => {
      this.#countedAt = monotonicNow()
      return null
    }, (error: Error) => error).finally(() => { this.#counting = null })
    return this.#counting
  }
}
