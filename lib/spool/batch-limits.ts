import { PUT_LOG_EVENTS } from '../../schemas/aws-limits.js'
import type { Kind } from '../../schemas/kinds.js'

/** Items, and the bytes that they count against the limits of their kind. */
export interface BatchSize {
  items: number
  bytes: number
}

/** How much one lease may hold. */
export type BatchLimits = BatchSize

/** The limits of a lease of each kind. */
export const LEASE_LIMITS: Record<Kind, BatchLimits> = {
  logs: { items: PUT_LOG_EVENTS.MAX_EVENTS, bytes: PUT_LOG_EVENTS.MAX_BYTES },
  // Many data points make one datum, so a lease holds more than a call; bounded by what a process may hold in memory.
  metrics: { items: 20_000, bytes: 3 * 1_048_576 },
  metering: { items: 500, bytes: 1_048_576 }
}

/** Whether this much fills a lease. */
export function isFullBatch (size: BatchSize, limits: BatchLimits): boolean {
  return size.items >= limits.items || size.bytes >= limits.bytes
}
