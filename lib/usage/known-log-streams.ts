import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { DAY_MS, type UnixMs } from '../../schemas/common.js'
import type { BoundedTexts, StateStore } from '../state/store.js'

/** Log streams of all applications that a process remembers; the one longest unused is forgotten. */
const MAX_REMEMBERED = 50_000
/** Log streams that are kept in the store, where a third of them, the latest, is never forgotten. */
const MAX_STORED = 3 * MAX_REMEMBERED
/** A log stream that is written to is stored anew on each day. */
const STORED_MS = 2 * DAY_MS
/** Log streams that are stored at once. */
const STORED_AT_ONCE = 5_000

export interface KnownLogStreamsOptions {
  store: Pick<StateStore, 'boundedTexts'>
  now: () => UnixMs
}

/**
 * The log streams that applications have written to, which may go on when no further ones are made; also those of other
 * processes, and of before a restart.
 */
export class KnownLogStreams {
  readonly #now: () => UnixMs
  readonly #stored: BoundedTexts
  /** Of each log stream, the day on which it was given to the store. */
  // With `max` the cache would reserve the memory of all at once.
  readonly #names = new LRUCache<string, number>({ maxSize: MAX_REMEMBERED, sizeCalculation: () => 1 })
  /** Those that are not stored yet. */
  readonly #unstored = new Set<string>()
  #storing: Promise<void> | null = null

  constructor ({ store, now }: KnownLogStreamsOptions) {
    this.#now = now
    this.#stored = store.boundedTexts('logStreams', { max: MAX_STORED, ttlMs: STORED_MS })
  }

  add (application: string, logStream: string): void {
    const name = nameOf(application, logStream)
    const today = Math.floor(this.#now() / DAY_MS)
    if (this.#names.get(name) === today) return
    this.#names.set(name, today)
    if (this.#unstored.size < MAX_REMEMBERED) this.#unstored.add(name)
  }

  has (application: string, logStream: string): boolean {
    return this.#names.get(nameOf(application, logStream)) !== undefined
  }

  /** Asks the store about log streams that this process does not know. Never rejects. */
  async lookUp (application: string, logStreams: readonly string[]): Promise<void> {
    const keys = logStreams.map(logStream => keyOf(nameOf(application, logStream)))
    const found = await this.#stored.getMany(keys).catch(() => new Map<string, string>())
    for (const [i, logStream] of logStreams.entries()) if (found.has(keys[i]!)) this.add(application, logStream)
  }

  /** Stores the log streams that are not stored yet, or keeps them for the next time. Never rejects. */
  async store (): Promise<void> {
    this.#storing ??= this.#store().finally(() => { this.#storing = null })
    await this.#storing
  }

  async #store (): Promise<void> {
    while (this.#unstored.size > 0) {
      const names = [...this.#unstored].slice(0, STORED_AT_ONCE)
      try {
        await this.#stored.setMany(Object.fromEntries(names.map(name => [keyOf(name), ''])))
      } catch {
        return
      }
      for (const name of names) this.#unstored.delete(name)
    }
  }
}

function nameOf (application: string, logStream: string): string {
  return `${application}\n${logStream}`
}

/** Shorter than most names. */
function keyOf (name: string): string {
  return createHash('sha1').update(name).digest('base64url')
}
