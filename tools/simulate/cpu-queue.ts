/** CPU that does one piece of work after another: of one process, or of several that share the work. */
export class CpuQueue {
  readonly #cores: number
  #freeAt = 0
  #granted = 0

  constructor (cores: number) {
    this.#cores = cores
  }

  /** @returns when work of so many microseconds of CPU is done, in milliseconds */
  work (micros: number, now: number): number {
    const ms = micros / 1_000 / this.#cores
    this.#freeAt = Math.max(this.#freeAt, now) + ms
    this.#granted += ms
    return this.#freeAt
  }

  /** Milliseconds of work that wait. */
  queued (now: number): number {
    return Math.max(0, this.#freeAt - now)
  }

  /** Milliseconds that all cores were busy until now. */
  busy (now: number): number {
    return this.#granted - this.queued(now)
  }
}
