import type { UnixMs } from '../../../schemas/common.js'
import type { EventRoute } from './events.js'
import type { PlatformRoute } from './platform-fault-plan.js'

export interface MeteredEvent {
  route: EventRoute
  /** The idempotency key of the request; null when it had none. */
  idempotencyKey: string | null
  body: Record<string, unknown>
  at: UnixMs
}

export interface PlatformLedger {
  /** Calls by route, answered or not. */
  calls: Partial<Record<PlatformRoute, number>>
  /** Answers by route and status; 0 for no answer. */
  answers: Partial<Record<PlatformRoute, Record<string, number>>>
  /** Events that the platform has recorded. */
  metered: number
  /** Recorded events by client id. */
  byApplication: Record<string, number>
  /** Events that came again with the same idempotency key, and were not recorded again. */
  duplicates: number
  /** Questions about entitlement by client id. */
  asked: Record<string, number>
  /** TCP connections that were opened. */
  connections: number
}

function empty (): Omit<PlatformLedger, 'byApplication' | 'asked'> {
  return { calls: {}, answers: {}, metered: 0, duplicates: 0, connections: 0 }
}

/** Counts by client id, which may be the name of anything, `constructor` included. */
class ClientCounts {
  #counts = new Map<string, number>()

  add (clientId: string): void {
    this.#counts.set(clientId, (this.#counts.get(clientId) ?? 0) + 1)
  }

  toObject (): Record<string, number> {
    return Object.fromEntries(this.#counts)
  }
}

/** Counts calls and their outcomes, and records events. */
export class PlatformRecorder {
  #ledger = empty()
  #byApplication = new ClientCounts()
  #asked = new ClientCounts()
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
    this.#asked.add(application)
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
    if (application !== undefined) this.#byApplication.add(application)
  }

  events (): MeteredEvent[] {
    return [...this.#events]
  }

  snapshot (): PlatformLedger {
    return {
      ...structuredClone(this.#ledger),
      byApplication: this.#byApplication.toObject(),
      asked: this.#asked.toObject()
    }
  }

  reset (): void {
    this.#ledger = empty()
    this.#byApplication = new ClientCounts()
    this.#asked = new ClientCounts()
    this.#events = []
    this.#keys.clear()
  }
}
