import type { EventRoute } from './events.js'
import type { PlatformRoute } from './fault-plan.js'

export interface MeteredEvent {
  route: EventRoute
  /** Of the request; null when it had none. */
  idempotencyKey: string | null
  body: Record<string, unknown>
  /** Unix milliseconds. */
  at: number
}

export interface PlatformLedger {
  /** By route, answered or not. */
  calls: Partial<Record<PlatformRoute, number>>
  /** By route and status; 0 for no answer. */
  answers: Partial<Record<PlatformRoute, Record<string, number>>>
  /** Events that the platform has recorded. */
  metered: number
  /** Of `metered`, by client id. */
  byApplication: Record<string, number>
  /** Events that came again with the same idempotency key, and were not recorded again. */
  duplicates: number
  /** Questions by client id. */
  asked: Record<string, number>
  /** TCP connections. */
  connections: number
}

function empty (): PlatformLedger {
  return { calls: {}, answers: {}, metered: 0, byApplication: {}, duplicates: 0, asked: {}, connections: 0 }
}

/** What came in, and what became of it. */
export class PlatformRecorder {
  #ledger = empty()
  #events: MeteredEvent[] = []
  readonly #keys = new Set<string>()

  call (route: PlatformRoute): void {
    this.#ledger.calls[route] = (this.#ledger.calls[route] ?? 0) + 1
  }

  answer (route: PlatformRoute, status: number): void {
    const answers = this.#ledger.answers[route] ??= {}
    answers[status] = (answers[status] ?? 0) + 1
  }

  connection (): void {
    this.#ledger.connections++
  }

  asked (application: string): void {
    this.#ledger.asked[application] = (this.#ledger.asked[application] ?? 0) + 1
  }

  /** Records an event, once for each idempotency key. */
  meter (event: MeteredEvent, application: string | undefined): void {
    const key = event.idempotencyKey === null ? null : `${event.route} ${event.idempotencyKey}`
    if (key !== null && this.#keys.has(key)) {
      this.#ledger.duplicates++
      return
    }
    if (key !== null) this.#keys.add(key)
    this.#events.push(event)
    this.#ledger.metered++
    if (application !== undefined) this.#ledger.byApplication[application] = (this.#ledger.byApplication[application] ?? 0) + 1
  }

  events (): MeteredEvent[] {
    return [...this.#events]
  }

  snapshot (): PlatformLedger {
    return structuredClone(this.#ledger)
  }

  reset (): void {
    this.#ledger = empty()
    this.#events = []
    this.#keys.clear()
  }
}
