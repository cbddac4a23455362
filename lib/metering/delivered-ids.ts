import { LRUCache } from 'lru-cache'

/**
 * How long a delivered call is remembered. CloudWatch Logs tries a destination for 24 h, and Lambda an event for 6 h:
 * a call that comes again comes within 30 h.
 */
export const DELIVERED_ID_TTL_MS = 48 * 3_600_000

/** Ids of the calls that the platform has taken; an id is added after the platform's answer, never before. */
export interface DeliveredIds {
  /** The ids, of the given ones, that were delivered. */
  among (ids: string[]): Promise<Set<string>>
  add (ids: string[]): Promise<void>
}

/** The memory of one process; the oldest ids are forgotten beyond `max`. */
export function rememberDelivered ({ max, now }: { max: number, now: () => number }): DeliveredIds {
  const ids = new LRUCache<string, true>({ max, ttl: DELIVERED_ID_TTL_MS, ttlResolution: 0, perf: { now } })
  return {
    among: async wanted => new Set(wanted.filter(id => ids.has(id))),
    add: async delivered => { for (const id of delivered) ids.set(id, true) }
  }
}
