import type { SharedStore } from '../state/store.js'
import type { KnownVerdict, VerdictStore } from './verdicts.js'

const keyOf = (clientId: string): string => `verdict:${clientId}`

/** The last verdicts of all processes. */
export function keepVerdicts (store: Pick<SharedStore, 'keep' | 'kept'>): VerdictStore {
  return {
    async get (clientId) {
      const text = (await store.kept([keyOf(clientId)])).get(keyOf(clientId))
      return text === undefined ? null : JSON.parse(text) as KnownVerdict
    },
    set: (clientId, known, ttlMs) => store.keep({ [keyOf(clientId)]: JSON.stringify(known) }, ttlMs)
  }
}
