import { healthClassOf } from '../resilience/health-class.js'
import type { Failure } from '../resilience/failure.js'
import type { MonotonicMs, UnixMs } from '../../schemas/common.js'
import type { HealthClass } from '../../schemas/health.js'

export interface FailingDestination {
  destination: string
  class: HealthClass
  message: string
  /** The first of these failures in a row. */
  since: UnixMs
}

export interface ForwarderHealth {
  /** The destination that has failed longest; null when deliveries succeed. */
  failing: (FailingDestination & {
    /** Destinations that fail now. */
    destinations: number
    /** Other destinations are delivered meanwhile, or the failures may end by themselves at any moment. */
    partial: boolean
  }) | null
}

interface Fault {
  class: HealthClass
  isDenied: boolean
  message: string
  since: UnixMs
  failedAt: MonotonicMs
  confirmedAt: MonotonicMs
}

/** Failures in a row after which a failure that may end by itself is reported. */
const REPORTED_FAILURES = 2
/** A failure that may end by itself is partial until nothing was delivered for this long. */
const PARTIAL_FOR_MS = 5_000

/** Remembers which destinations fail. */
export function createForwarderHealth ({ now, monotonicNow, forgetMs }: {
  now: () => UnixMs
  monotonicNow: () => MonotonicMs
  /** A failure that is not confirmed for this long is forgotten: another process has taken the destination over. */
  forgetMs: number
}) {
  const faults = new Map<string, Fault>()
  let answeredAt: MonotonicMs = -Infinity
  /** Failures since anything was delivered. */
  let failures = 0

  function isPartial ({ isDenied, class: health, failedAt }: Fault): boolean {
    if (answeredAt >= failedAt || health === 'throttled') return true
    return !isDenied && monotonicNow() - failedAt < PARTIAL_FOR_MS
  }

  return {
    failed (destination: string, failure: Pick<Failure, 'class' | 'name' | 'message'>): void {
      failures++
      const confirmedAt = monotonicNow()
      const { since, failedAt } = faults.get(destination) ?? { since: now(), failedAt: confirmedAt }
      faults.set(destination, {
        class: healthClassOf(failure),
        isDenied: failure.class === 'denied',
        message: failure.message,
        since,
        failedAt,
        confirmedAt
      })
    },

    /** CloudWatch has taken a call for this destination. */
    answered (destination: string): void {
      answeredAt = monotonicNow()
      failures = 0
      faults.delete(destination)
    },

    read (): ForwarderHealth {
      for (const [destination, { confirmedAt }] of faults) {
        if (monotonicNow() - confirmedAt > forgetMs) faults.delete(destination)
      }
      const reported = [...faults].filter(([, { isDenied }]) => isDenied || failures >= REPORTED_FAILURES)
      // A denied destination comes first: its failure does not end by itself.
      const [longest] = reported.sort(([, a], [, b]) =>
        Number(b.isDenied) - Number(a.isDenied) || a.failedAt - b.failedAt)
      if (longest === undefined) return { failing: null }
      const [destination, fault] = longest
      const { message, since } = fault
      return {
        failing: {
          destination,
          class: fault.class,
          message,
          since,
          destinations: reported.length,
          partial: isPartial(fault)
        }
      }
    }
  }
}
