import type { StateStore } from '../state/store.js'
import { REMEMBER_MS, type DeliveredIds } from './delivered-ids.js'

const PREFIX = 'metered:'

/** The memory that all processes share, or the one process has again after a restart. */
export function storedDeliveredIds (store: Pick<StateStore, 'setMany' | 'getMany'>): DeliveredIds {
  return {
    async among (ids) {
      const kept = await store.getMany(ids.map(id => PREFIX + id))
      return new Set(ids.filter(id => kept.has(PREFIX + id)))
    },
    add: ids => store.setMany(Object.fromEntries(ids.map(id => [PREFIX + id, ''])), REMEMBER_MS)
  }
}
