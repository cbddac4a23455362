import type { Channel, RemoteError } from '../processes/channel.js'
import {
  StateStoreError,
  type BoundedTexts, type BoundedTextsOptions, type Counts, type DailyCounters, type DailyRegisters, type Registers,
  type SetEntry, type StateStore, type VersionedSet, type WindowIncrement, type WindowTotal
} from './store.js'

const NEWS = 'state.entry'

/** The calls of a store in another process, each with the name of the counters, registers, texts or set it is about. */
interface StoreCalls {
  countInWindows (increments: WindowIncrement[]): Promise<WindowTotal[]>
  setIfAbsent (key: string, ttlMs: number): Promise<boolean>
  setMany (texts: Record<string, string>, ttlMs: number): Promise<void>
  getMany (keys: string[]): Promise<Map<string, string>>
  setBounded (name: string, options: BoundedTextsOptions, texts: Record<string, string>): Promise<void>
  getBounded (name: string, options: BoundedTextsOptions, keys: string[]): Promise<Map<string, string>>
  addCounts (name: string, day: string, counts: Counts): Promise<Counts>
  getCounts (name: string, day: string): Promise<Counts>
  mergeRegisters (name: string, day: string, key: string, registers: Registers): Promise<Uint8Array>
  getRegisters (name: string, day: string, key: string): Promise<Uint8Array>
  putEntry (name: string, rankField: string, entry: SetEntry): Promise<void>
  listEntries (name: string, rankField: string): Promise<SetEntry[]>
  versionOfEntries (name: string, rankField: string): Promise<number>
  subscribeToEntries (name: string, rankField: string): Promise<void>
}

const CALLS = [
  'countInWindows', 'setIfAbsent', 'setMany', 'getMany', 'setBounded', 'getBounded', 'addCounts', 'getCounts',
  'mergeRegisters', 'getRegisters', 'putEntry', 'listEntries', 'versionOfEntries', 'subscribeToEntries'
] as const satisfies ReadonlyArray<keyof StoreCalls>

/** Lets another process use this store. */
export function serveStateStore (channel: Channel, store: StateStore): void {
  const setOf = (name: string, rankField: string): VersionedSet<SetEntry> =>
    store.versionedSet(name, rankField as keyof SetEntry)
  const calls: StoreCalls = {
    countInWindows: increments => store.countInWindows(increments),
    setIfAbsent: (key, ttlMs) => store.setIfAbsent(key, ttlMs),
    setMany: (texts, ttlMs) => store.setMany(texts, ttlMs),
    getMany: keys => store.getMany(keys),
    setBounded: (name, options, texts) => store.boundedTexts(name, options).setMany(texts),
    getBounded: (name, options, keys) => store.boundedTexts(name, options).getMany(keys),
    addCounts: (name, day, counts) => store.dailyCounters(name).add(day, counts),
    getCounts: (name, day) => store.dailyCounters(name).get(day),
    mergeRegisters: (name, day, key, registers) => store.dailyRegisters(name).merge(day, key, registers),
    getRegisters: (name, day, key) => store.dailyRegisters(name).get(day, key),
    putEntry: (name, rankField, entry) => setOf(name, rankField).put(entry),
    listEntries: (name, rankField) => setOf(name, rankField).list(),
    versionOfEntries: (name, rankField) => setOf(name, rankField).version(),
    subscribeToEntries: (name, rankField) => setOf(name, rankField).subscribe(entry =>
      channel.tell(NEWS, [name, entry]))
  }
  channel.serve('state', calls, CALLS)
}

/** The state of the process that owns the store on disk. */
export class RemoteStateStore implements StateStore {
  readonly shared = true
  readonly #calls: StoreCalls
  readonly #listeners = new Map<string, Array<(entry: never) => void>>()

  constructor (channel: Channel) {
    this.#calls = channel.remote<StoreCalls, typeof CALLS[number]>('state', CALLS, toStoreError)
    channel.onNews<[name: string, entry: SetEntry]>(NEWS, ([name, entry]) => {
      for (const listener of this.#listeners.get(name) ?? []) listener(entry as never)
    })
  }

  countInWindows (increments: WindowIncrement[]): Promise<WindowTotal[]> {
    return this.#calls.countInWindows(increments)
  }

  setIfAbsent (key: string, ttlMs: number): Promise<boolean> {
    return this.#calls.setIfAbsent(key, ttlMs)
  }

  setMany (texts: Record<string, string>, ttlMs: number): Promise<void> {
    return this.#calls.setMany(texts, ttlMs)
  }

  getMany (keys: string[]): Promise<Map<string, string>> {
    return this.#calls.getMany(keys)
  }

  boundedTexts (name: string, options: BoundedTextsOptions): BoundedTexts {
    return {
      setMany: texts => this.#calls.setBounded(name, options, texts),
      getMany: keys => this.#calls.getBounded(name, options, keys)
    }
  }

  dailyCounters (name: string): DailyCounters {
    return {
      add: (day, counts) => this.#calls.addCounts(name, day, counts),
      get: day => this.#calls.getCounts(name, day)
    }
  }

  dailyRegisters (name: string): DailyRegisters {
    return {
      merge: (day, key, registers) => this.#calls.mergeRegisters(name, day, key, registers),
      get: (day, key) => this.#calls.getRegisters(name, day, key)
    }
  }

  versionedSet<Entry extends SetEntry> (name: string, rankField: keyof Entry & string): VersionedSet<Entry> {
    return {
      put: entry => this.#calls.putEntry(name, rankField, entry),
      list: async () => await this.#calls.listEntries(name, rankField) as Entry[],
      version: () => this.#calls.versionOfEntries(name, rankField),
      subscribe: async listener => {
        const listeners = this.#listeners.get(name)
        if (listeners !== undefined) {
          listeners.push(listener)
          return
        }
        this.#listeners.set(name, [listener])
        await this.#calls.subscribeToEntries(name, rankField)
      }
    }
  }

  /** The store is closed by its own process. */
  async close (): Promise<void> {}
}

function toStoreError (error: RemoteError): StateStoreError {
  return new StateStoreError(error.message, { cause: error })
}
