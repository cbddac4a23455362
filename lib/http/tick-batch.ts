/** Runs the work that is given in one turn of the event loop together, in its order, when other work is done. */
export class TickBatch {
  #waiting: Array<() => void> = []

  /** @param work must not throw */
  run (work: () => void): void {
    if (this.#waiting.push(work) === 1) setImmediate(() => this.#runAll())
  }

  #runAll (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const work of waiting) work()
  }
}
