/** Creations under way at once; AWS allows fifty log streams a second. */
const CONCURRENT = 4
/** Creations that wait for their turn; each holds a lease and its items in memory. */
const MAX_WAITING = 64
const MAX_WAITING_OF_APPLICATION = 16

/** Creations of log groups and log streams, of each application in turn: one that makes many keeps no other waiting. */
export class CreationQueue {
  /** Of each application that waits, the creations in their order; the application that was served last comes last. */
  readonly #waiting = new Map<string, Array<() => void>>()
  #underWay = 0
  #waitingOfAll = 0

  /** Creations of this application that wait. */
  waiting (application: string): number {
    return this.#waiting.get(application)?.length ?? 0
  }

  hasRoom (application: string): boolean {
    return this.waiting(application) < MAX_WAITING_OF_APPLICATION && this.#waitingOfAll < MAX_WAITING
  }

  async run<T> (application: string, create: () => Promise<T>): Promise<T> {
    await this.#turn(application)
    try {
      return await create()
    } finally {
      this.#next()
    }
  }

  async #turn (application: string): Promise<void> {
    if (this.#underWay < CONCURRENT) {
      this.#underWay++
      return
    }
    this.#waitingOfAll++
    await new Promise<void>(resolve => {
      const turns = this.#waiting.get(application)
      if (turns === undefined) this.#waiting.set(application, [resolve])
      else turns.push(resolve)
    })
  }

  #next (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#underWay--
      return
    }
    const [application, turns] = next
    this.#waiting.delete(application)
    const turn = turns.shift()!
    if (turns.length > 0) this.#waiting.set(application, turns)
    this.#waitingOfAll--
    turn()
  }
}
