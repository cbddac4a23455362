import type { MonotonicMs, UnixMs } from '../../schemas/common.js'
import type { FailureClass } from '../resilience/failure.js'

export interface FailingDestination {
  destination: string
  class: FailureClass
  message: string
  /** The first of these failures in a row. */
  since: UnixMs
}

export interface Health {
  /** The destination that has been denied longest; null when credentials and permissions suffice. */
  failing: (FailingDestination & {
    /** Destinations that are denied now. */
    destinations: number
    /** Other destinations are delivered meanwhile: a permission is missing, not the credentials. */
    partial: boolean
  }) | null
}

interface Denial {
  message: string
  since: UnixMs
  deniedAt: MonotonicMs
  confirmedAt: MonotonicMs
}

/** Remembers which destinations are denied. */
export function createHealth ({ now, monotonicNow, forgetMs }: {
  now: () => UnixMs
  monotonicNow: () => MonotonicMs
  /** A denial that is not confirmed for this long is forgotten: another process has taken the destination over. */
  forgetMs: number
}) {
  const denials = new Map<string, Denial>()
  let answeredAt: MonotonicMs = -Infinity

  return {
    denied (destination: string, message: string): void {
      const confirmedAt = monotonicNow()
      const { since, deniedAt } = denials.get(destination) ?? { since: now(), deniedAt: confirmedAt }
      denials.set(destination, { message, since, deniedAt, confirmedAt })
    },

    /** CloudWatch has taken a call for this destination. */
    answered (destination: string): void {
      answeredAt = monotonicNow()
      denials.delete(destination)
    },

    read (): Health {
      for (const [destination, { confirmedAt }] of denials) {
        if (monotonicNow() - confirmedAt > forgetMs) denials.delete(destination)
      }
      const [longest] = [...denials].sort(([, a], [, b]) => a.deniedAt - b.deniedAt)
      if (longest === undefined) return { failing: null }
      const [destination, { message, since, deniedAt }] = longest
      return { failing: { destination, class: 'denied', message, since, destinations: denials.size, partial: answeredAt >= deniedAt } }
    }
  }
}
