import { LRUCache } from 'lru-cache'
import type { UnixMs } from '../../schemas/common.js'
import type { VERDICTS } from '../../schemas/metering-settings.js'

/** The platform's answer about a client. */
export type Verdict = typeof VERDICTS[number]

export interface KnownVerdict {
  verdict: Verdict
  /** When the platform answered. */
  at: UnixMs
}

/** Verdicts that several processes share. */
export interface VerdictStore {
  get (clientId: string): Promise<KnownVerdict | null>
  set (clientId: string, known: KnownVerdict): Promise<void>
}

export interface VerdictsOptions {
  /** Clients remembered at most; those not seen for longest are forgotten first. */
  maxClients: number
  /** Absent: this process remembers for itself. */
  store?: VerdictStore | undefined
  /** The store has failed; the platform is asked instead. */
  onStoreError: (error: unknown) => void
}

/** The last known verdicts, in memory and, when there is one, in a shared store. */
export class Verdicts {
  readonly #options: VerdictsOptions
  readonly #memory: LRUCache<string, KnownVerdict>

  constructor (options: VerdictsOptions) {
    this.#options = options
    this.#memory = new LRUCache({ max: options.maxClients })
  }

  /** @param goodEnough whether the verdict that this process has makes a look into the store needless */
  async get (clientId: string, goodEnough: (known: KnownVerdict) => boolean): Promise<KnownVerdict | null> {
    const remembered = this.#memory.get(clientId) ?? null
    const { store, onStoreError } = this.#options
    if (store === undefined || (remembered !== null && goodEnough(remembered))) return remembered
    const shared = await store.get(clientId).catch((error: unknown) => {
      onStoreError(error)
      return null
    })
    if (shared === null || (remembered !== null && remembered.at >= shared.at)) return remembered
    this.#memory.set(clientId, shared)
    return shared
  }

  async set (clientId: string, known: KnownVerdict): Promise<void> {
    const { store, onStoreError } = this.#options
    this.#memory.set(clientId, known)
    await store?.set(clientId, known).catch(onStoreError)
  }
}
