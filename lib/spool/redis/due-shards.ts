import type { MonotonicMs } from '../../../schemas/common.js'

/** A process that listens asks a shard which nobody has told of this often, as messages can be lost. */
const ASK_ANYWAY_MS = 5_000

interface Shard {
  /** When a destination of it is due, as far as is known; Infinity when none is. */
  dueAt: MonotonicMs
  askAt: MonotonicMs
  /** The earliest time that was told of since the question that is under way. */
  toldAt: MonotonicMs
}

/**
 * When each shard may have a lease to give, as far as this process knows by the answers of the shard and by what others
 * have told, so that no other shard is asked.
 */
export class DueShards {
  readonly #now: () => MonotonicMs
  readonly #shards = new Map<string, Shard>()
  #isListening = false

  constructor (now: () => MonotonicMs) {
    this.#now = now
  }

  /** From now on others tell of what becomes due; every shard is asked once, as nothing was heard before. */
  listening (): void {
    this.#isListening = true
    const now = this.#now()
    for (const shard of this.#shards.values()) shard.askAt = now
  }

  /**
   * Of these shards those to ask, the longest due first: a shard that has given a lease stands behind those that are
   * due already. A process that does not listen asks all of them, in turn.
   */
  toAsk (bases: readonly string[]): string[] {
    const now = this.#now()
    return bases
      .filter(base => this.#of(base).askAt <= now)
      .sort((a, b) => this.#of(a).askAt - this.#of(b).askAt)
  }

  /** Milliseconds until one of these shards may have a lease to give; null when none has anything stored. */
  nextDueMs (bases: readonly string[]): number | null {
    const dueAt = Math.min(...bases.map(base => this.#of(base).dueAt))
    return dueAt === Infinity ? null : Math.max(0, dueAt - this.#now())
  }

  /** A destination of the shard is due in so many milliseconds. */
  told (base: string, waitMs: number): void {
    const shard = this.#of(base)
    const at = this.#now() + waitMs
    shard.toldAt = Math.min(shard.toldAt, at)
    shard.dueAt = Math.min(shard.dueAt, at)
    shard.askAt = Math.min(shard.askAt, at)
  }

  asking (base: string): void {
    this.#of(base).toldAt = Infinity
  }

  /** @param waitMs until the shard may have a lease to give; null when it has nothing stored */
  answered (base: string, waitMs: number | null): void {
    const shard = this.#of(base)
    const now = this.#now()
    // The answer may be older than what was told meanwhile.
    shard.dueAt = Math.min(now + (waitMs ?? Infinity), shard.toldAt)
    shard.askAt = Math.min(shard.dueAt, now + (this.#isListening ? ASK_ANYWAY_MS : 0))
  }

  #of (base: string): Shard {
    let shard = this.#shards.get(base)
    if (shard === undefined) {
      shard = { dueAt: Infinity, askAt: -Infinity, toldAt: Infinity }
      this.#shards.set(base, shard)
    }
    return shard
  }
}
