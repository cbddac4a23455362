import { LRUCache } from 'lru-cache'

/** Log streams of all applications that are remembered; the one longest unused is forgotten. */
const MAX_REMEMBERED = 50_000

/** The log streams that applications have written to, which may go on when no further ones are made. */
export class KnownLogStreams {
  // With `max` the cache would reserve the memory of all at once.
  readonly #names = new LRUCache<string, true>({ maxSize: MAX_REMEMBERED, sizeCalculation: () => 1 })

  add (application: string, logStream: string): void {
    this.#names.set(`${application}\n${logStream}`, true)
  }

  has (application: string, logStream: string): boolean {
    return this.#names.get(`${application}\n${logStream}`) !== undefined
  }
}
