import type { FailureClass } from '../resilience/failure.js'

export interface FailingDestination {
  destination: string
  class: FailureClass
  message: string
  /** Unix milliseconds of the first of these failures in a row. */
  since: number
}

export interface Health {
  /** The destination that has been denied longest; null when credentials and permissions suffice. */
  failing: (FailingDestination & {
    /** Destinations that are denied now. */
    destinations: number
    /** Others are delivered meanwhile: a permission is missing, not the credentials. */
    partial: boolean
  }) | null
}

/** Remembers which destinations are denied. */
export function createHealth ({ now, forgetMs }: {
  now: () => number
  /** A denial that is not confirmed for this long is forgotten: another process has taken the destination over. */
  forgetMs: number
}) {
  const denials = new Map<string, FailingDestination & { confirmedAt: number }>()
  let answeredAt = -Infinity

  return {
    denied (destination: string, message: string): void {
      const at = now()
      const since = denials.get(destination)?.since ?? at
      denials.set(destination, { destination, class: 'denied', message, since, confirmedAt: at })
    },

    /** CloudWatch has taken what it was sent. */
    answered (destination: string): void {
      answeredAt = now()
      denials.delete(destination)
    },

    read (): Health {
      for (const [destination, { confirmedAt }] of denials) {
        if (now() - confirmedAt > forgetMs) denials.delete(destination)
      }
      const longest = [...denials.values()].reduce<FailingDestination | null>((a, b) => a === null || b.since < a.since ? b : a, null)
      if (longest === null) return { failing: null }
      const { destination, message, since } = longest
      return { failing: { destination, class: 'denied', message, since, destinations: denials.size, partial: answeredAt >= since } }
    }
  }
}
