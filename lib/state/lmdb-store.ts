import { open, type Database, type RootDatabase } from 'lmdb'
import { monotonicNow } from '../clock.js'
import { DAY_MS, type UnixMs } from '../../schemas/common.js'
import {
  CLOCK_SLACK_MS, KEPT_DAYS, StateStoreError, dayOf,
  type BoundedTexts, type BoundedTextsOptions, type DailyCounters, type DailyRegisters, type SetEntry,
  type StateStore, type VersionedSet, type WindowIncrement, type WindowTotal
} from './store.js'
import { WindowTotals } from './window-totals.js'

const SWEEP_MS = 60_000
const SWEEP_LIMIT = 10_000

export interface LmdbStateStoreOptions {
  /** A folder of its own; made when it is missing. */
  path: string
  now: () => UnixMs
  /** Whether other processes use this store through this one; false unless given. */
  shared?: boolean
}

/** The generation that texts are put into, and how many it holds. */
interface Generation {
  number: number
  size: number
}

/** The key of the Generation in a database of bounded texts, whose other keys are `[generation, key]`. */
const GENERATION_KEY: [number, string] = [-1, '']
/** Texts of older generations that are removed for each text that is put. */
const REMOVED_EACH = 2

/** Removes the expired entries of one database, within a transaction. */
type Sweep = (now: UnixMs) => void

/** State that an embedded gateway has to know again after a restart; one process opens it. */
export class LmdbStateStore implements StateStore {
  readonly shared: boolean
  readonly #windows = new WindowTotals(monotonicNow)
  readonly #databases = new Map<string, Database<never, never>>()
  /** The sets by name, whose listeners and versions are those of all who ask for them. */
  readonly #sets = new Map<string, VersionedSet<never>>()
  readonly #now: () => UnixMs
  readonly #root: RootDatabase
  /** When each key that is set if absent expires. */
  readonly #claims: Database<UnixMs, string>
  readonly #claimEnds: Database<boolean, [UnixMs, string]>
  /** When each text expires, and the text. */
  readonly #texts: Database<[UnixMs, string], string>
  readonly #textEnds: Database<boolean, [UnixMs, string]>
  /** The sweeps of the counters, registers and sets in use, by their names. */
  readonly #sweeps = new Map<string, Sweep>()
  readonly #sweeper: NodeJS.Timeout
  #closed: Promise<void> | null = null

  constructor ({ path, now, shared = false }: LmdbStateStoreOptions) {
    this.shared = shared
    this.#now = now
    this.#root = open({ path, noSubdir: false, eventTurnBatching: false })
    this.#claims = this.#root.openDB('claims', { encoding: 'json' })
    this.#claimEnds = this.#root.openDB('claimEnds', { encoding: 'json' })
    this.#texts = this.#root.openDB('texts', { encoding: 'json' })
    this.#textEnds = this.#root.openDB('textEnds', { encoding: 'json' })
    this.#sweeper = setInterval(() => { this.#sweep().catch(() => {}) }, SWEEP_MS).unref()
  }

  async countInWindows (increments: WindowIncrement[]): Promise<WindowTotal[]> {
    return this.#windows.add(increments)
  }

  async setIfAbsent (key: string, ttlMs: number): Promise<boolean> {
    const now = this.#now()
    return await this.#write(() => {
      if ((this.#claims.get(key) ?? 0) > now) return false
      this.#claims.put(key, now + ttlMs)
      this.#claimEnds.put([now + ttlMs, key], true)
      return true
    })
  }

  async setMany (texts: Record<string, string>, ttlMs: number): Promise<void> {
    const endsAt = this.#now() + ttlMs
    await this.#write(() => {
      for (const [key, text] of Object.entries(texts)) {
        const known = this.#texts.get(key)
        if (known !== undefined) this.#textEnds.remove([known[0], key])
        this.#texts.put(key, [endsAt, text])
        this.#textEnds.put([endsAt, key], true)
      }
    })
  }

  async getMany (keys: string[]): Promise<Map<string, string>> {
    const now = this.#now()
    return new Map(keys.flatMap(key => {
      const [endsAt, text] = this.#texts.get(key) ?? [0, '']
      return endsAt > now ? [[key, text]] : []
    }))
  }

  /** Texts stay until there are too many: on a disk they take no memory. */
  boundedTexts (name: string, { max }: BoundedTextsOptions): BoundedTexts {
    const texts: Database<string | Generation, [number, string]> = this.#open(name, { encoding: 'json' })
    const current = (): Generation => (texts.get(GENERATION_KEY) ?? { number: 0, size: 0 }) as Generation
    return {
      setMany: async given => await this.#write(() => {
        const generation = current()
        for (const [key, text] of Object.entries(given)) {
          if (texts.get([generation.number, key]) === undefined) generation.size++
          texts.put([generation.number, key], text)
          if (generation.size < max / 3) continue
          generation.number++
          generation.size = 0
        }
        texts.put(GENERATION_KEY, generation)
        const limit = REMOVED_EACH * Object.keys(given).length
        for (const key of [...texts.getKeys({ start: [0, ''], end: [generation.number - 1, ''], limit })]) {
          texts.remove(key)
        }
      }),
      getMany: async keys => {
        const { number } = current()
        return new Map(keys.flatMap(key => {
          const text = texts.get([number, key]) ?? texts.get([number - 1, key])
          return text === undefined ? [] : [[key, text as string]]
        }))
      }
    }
  }

  dailyCounters (name: string): DailyCounters {
    const counters: Database<number, [string, string]> = this.#open(name, { encoding: 'json' })
    this.#sweeps.set(name, now => removeOldDays(counters, now))
    return {
      add: async (day, counts) => await this.#write(() => {
        const totals: Record<string, number> = {}
        for (const [counter, by] of Object.entries(counts)) {
          totals[counter] = (counters.get([day, counter]) ?? 0) + by
          counters.put([day, counter], totals[counter])
        }
        return totals
      }),
      get: async day => {
        const range = counters.getRange({ start: [day, ''], end: [`${day}\uffff`, ''] })
        return Object.fromEntries(Array.from(range, ({ key, value }) => [key[1], value]))
      }
    }
  }

  dailyRegisters (name: string): DailyRegisters {
    const rows: Database<Buffer, [string, string]> = this.#open(name, { encoding: 'binary' })
    this.#sweeps.set(name, now => removeOldDays(rows, now))
    return {
      merge: async (day, key, registers) => await this.#write(() => {
        const stored = rows.get([day, key]) ?? []
        const merged = Buffer.alloc(registers.reduce((length, [index]) => Math.max(length, index + 1), stored.length))
        merged.set(stored)
        for (const [index, value] of registers) merged[index] = Math.max(merged[index]!, value)
        rows.put([day, key], merged)
        return merged
      }),
      get: async (day, key) => rows.get([day, key]) ?? new Uint8Array()
    }
  }

  /** Each database once, as other processes name theirs with every call. */
  #open (name: string, options: { encoding: 'json' | 'binary' }): Database<never, never> {
    let database = this.#databases.get(name)
    if (database === undefined) {
      database = this.#root.openDB<never, never>(name, options)
      this.#databases.set(name, database)
    }
    return database
  }

  versionedSet<Entry extends SetEntry> (name: string, rankField: keyof Entry & string): VersionedSet<Entry> {
    const known = this.#sets.get(name) as VersionedSet<Entry> | undefined
    if (known !== undefined) return known
    const set = this.#openSet<Entry>(name, rankField)
    this.#sets.set(name, set as never)
    return set
  }

  #openSet<Entry extends SetEntry> (name: string, rankField: keyof Entry & string): VersionedSet<Entry> {
    const entries: Database<Entry, string> = this.#open(name, { encoding: 'json' })
    const listeners: Array<(entry: Entry) => void> = []
    let version = 0
    const rankOf = (entry: Entry | undefined): number => Number(entry?.[rankField] ?? 0)
    this.#sweeps.set(name, now => {
      for (const { key, value } of [...entries.getRange({})]) {
        if (value.expiresAt <= now) entries.remove(key)
      }
    })
    return {
      put: async entry => {
        await this.#write(() => {
          if (rankOf(entries.get(entry.id)) <= rankOf(entry)) entries.put(entry.id, entry)
        })
        version++
        for (const listener of listeners) listener(entry)
      },
      list: async () => {
        const now = this.#now()
        return Array.from(entries.getRange({}), ({ value }) => value).filter(({ expiresAt }) => expiresAt > now)
      },
      version: async () => version,
      subscribe: async listener => { listeners.push(listener) }
    }
  }

  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    clearInterval(this.#sweeper)
    await this.#root.flushed
    await this.#root.close()
  }

  /** In one transaction, durable against the end of the process when it resolves. */
  async #write<T> (change: () => T): Promise<T> {
    try {
      return await this.#root.transaction(change)
    } catch (error) {
      throw new StateStoreError(`the store on disk cannot be written: ${(error as Error).message}`, { cause: error })
    }
  }

  /** Removes the keys, texts, counters, registers and entries that have expired. */
  async #sweep (): Promise<void> {
    const now = this.#now() - CLOCK_SLACK_MS
    while (await this.#sweepTexts(now) === SWEEP_LIMIT);
    await this.#write(() => {
      for (const key of [...this.#claimEnds.getKeys({ end: [now, ''], limit: SWEEP_LIMIT })]) {
        this.#claimEnds.remove(key)
        this.#claims.remove(key[1])
      }
      for (const sweep of this.#sweeps.values()) sweep(now)
    })
  }

  /** @returns the number of texts removed, at most SWEEP_LIMIT */
  async #sweepTexts (now: UnixMs): Promise<number> {
    return await this.#write(() => {
      const ended = [...this.#textEnds.getKeys({ end: [now, ''], limit: SWEEP_LIMIT })]
      for (const key of ended) {
        this.#textEnds.remove(key)
        this.#texts.remove(key[1])
      }
      return ended.length
    })
  }
}

function removeOldDays (database: Database<unknown, [string, string]>, now: UnixMs): void {
  const oldest = dayOf(now - KEPT_DAYS * DAY_MS)
  for (const key of [...database.getKeys({ end: [oldest, ''], limit: SWEEP_LIMIT })]) database.remove(key)
}
