/** CPU that does one thing after another: a process, or several that share what comes. */
export class Server {
  readonly #cores: number
  #freeAt = 0
  #granted = 0

  constructor (cores: number) {
    this.#cores = cores
  }

  /** @param micros of CPU; returns when it is done, in milliseconds */
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
