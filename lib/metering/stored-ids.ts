import type { StateStore } from '../state/store.js'
import { DELIVERED_ID_TTL_MS, type DeliveredIds } from './delivered-ids.js'

/** Calls that are remembered at most: the calls of two days at some twenty a second. */
const MAX_IDS = 4_000_000
/** Earlier versions have kept each id by itself, under a key that begins with this. */
const EARLIER_PREFIX = 'metered:'

/** The ids in the state store: shared by all processes, and still there after a restart. */
export function storedDeliveredIds (store: Pick<StateStore, 'boundedTexts' | 'getMany'>, max = MAX_IDS): DeliveredIds {
  const delivered = store.boundedTexts('metered', { max, ttlMs: DELIVERED_ID_TTL_MS })
  return {
    async among (ids) {
      const [known, earlier] = await Promise.all([
        delivered.getMany(ids),
        store.getMany(ids.map(id => EARLIER_PREFIX + id))
      ])
      return new Set(ids.filter(id => known.has(id) || earlier.has(EARLIER_PREFIX + id)))
    },
    add: ids => delivered.setMany(Object.fromEntries(ids.map(id => [id, ''])))
  }
}
