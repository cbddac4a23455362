import type { StateStore } from '../state/store.js'
import type { KnownVerdict, VerdictStore } from './verdicts.js'

/** Whoever calls chooses the client id, so their number is bounded. */
const MAX_VERDICTS = 200_000

/** The last verdicts of all processes. */
export function storedVerdicts (
  store: Pick<StateStore, 'boundedTexts'>, ttlMs: number, max = MAX_VERDICTS
): VerdictStore {
  const verdicts = store.boundedTexts('verdicts', { max, ttlMs })
  return {
    async get (clientId) {
      const text = (await verdicts.getMany([clientId])).get(clientId)
      return text === undefined ? null : JSON.parse(text) as KnownVerdict
    },
    set: (clientId, known) => verdicts.setMany({ [clientId]: JSON.stringify(known) })
  }
}
