import type { StateStore } from '../state/store.js'
import type { KnownVerdict, VerdictStore } from './verdicts.js'

const keyOf = (clientId: string): string => `verdict:${clientId}`

/** The last verdicts of all processes. */
export function storedVerdicts (store: Pick<StateStore, 'setMany' | 'getMany'>): VerdictStore {
  return {
    async get (clientId) {
      const text = (await store.getMany([keyOf(clientId)])).get(keyOf(clientId))
      return text === undefined ? null : JSON.parse(text) as KnownVerdict
    },
    set: (clientId, known, ttlMs) => store.setMany({ [keyOf(clientId)]: JSON.stringify(known) }, ttlMs)
  }
}
