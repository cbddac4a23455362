import type { StateStore } from '../state/store.js'
import { DELIVERED_ID_TTL_MS, type DeliveredIds } from './delivered-ids.js'

const PREFIX = 'metered:'

/** The ids in the state store: shared by all processes, and still there after a restart. */
export function storedDeliveredIds (store: Pick<StateStore, 'setMany' | 'getMany'>): DeliveredIds {
  return {
    async among (ids) {
      const stored = await store.getMany(ids.map(id => PREFIX + id))
      return new Set(ids.filter(id => stored.has(PREFIX + id)))
    },
    add: ids => store.setMany(Object.fromEntries(ids.map(id => [PREFIX + id, ''])), DELIVERED_ID_TTL_MS)
  }
}
