import { open, type Database, type RootDatabase } from 'lmdb'
import type { Revocation } from '../access/revocations.js'
import { REGISTERS, type Registers } from '../usage/hyperloglog.js'
import { DAY_MS, StateStoreError, USAGE_DAYS, dayOf, type Counts, type StateStore, type WindowCount, type WindowTotal } from './store.js'

const SWEEP_MS = 60_000
const SWEEP_LIMIT = 10_000

export interface LmdbStateStoreOptions {
  /** A folder of its own; made when it is missing. */
  path: string
  /** Unix milliseconds. */
  now: () => number
}

/** What the one process of an embedded gateway has to know again after a restart. */
export class LmdbStateStore implements StateStore {
  readonly shared = false
  readonly #now: () => number
  readonly #root: RootDatabase
  /** Key → when the claim ends. */
  readonly #claims: Database<number, string>
  /** `[when it ends, key]`. */
  readonly #claimEnds: Database<boolean, [number, string]>
  /** Key → when it ends, and the text. */
  readonly #texts: Database<[number, string], string>
  /** `[when it ends, key]`. */
  readonly #textEnds: Database<boolean, [number, string]>
  readonly #revocations: Database<Revocation, string>
  readonly #usage: Database<number, [string, string]>
  readonly #series: Database<Buffer, [string, string]>
  readonly #listeners: Array<(revocation: Revocation) => void> = []
  readonly #sweeper: NodeJS.Timeout
  #version = 0
  #closed: Promise<void> | null = null

  constructor ({ path, now }: LmdbStateStoreOptions) {
    this.#now = now
    this.#root = open({ path, noSubdir: false, eventTurnBatching: false })
    this.#claims = this.#root.openDB('claims', { encoding: 'json' })
    this.#claimEnds = this.#root.openDB('claimEnds', { encoding: 'json' })
    this.#texts = this.#root.openDB('texts', { encoding: 'json' })
    this.#textEnds = this.#root.openDB('textEnds', { encoding: 'json' })
    this.#revocations = this.#root.openDB('revocations', { encoding: 'json' })
    this.#usage = this.#root.openDB('usage', { encoding: 'json' })
    this.#series = this.#root.openDB('series', { encoding: 'binary' })
    this.#sweeper = setInterval(() => { this.#sweep().catch(() => {}) }, SWEEP_MS).unref()
  }

  async countInWindows (counts: WindowCount[]): Promise<WindowTotal[]> {
    return counts.map(({ by, windowMs }) => ({ total: by, endsInMs: windowMs }))
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

  async revoke (revocation: Revocation): Promise<void> {
    await this.#write(() => {
      const known = this.#revocations.get(revocation.id)
      if ((known?.issuedBefore ?? 0) <= (revocation.issuedBefore ?? 0)) this.#revocations.put(revocation.id, revocation)
    })
    this.#version++
    for (const listener of this.#listeners) listener(revocation)
  }

  async revocations (): Promise<Revocation[]> {
    const now = this.#now()
    return Array.from(this.#revocations.getRange({}), ({ value }) => value).filter(({ expiresAt }) => expiresAt > now)
  }

  async revocationsVersion (): Promise<number> {
    return this.#version
  }

  onRevoked (listener: (revocation: Revocation) => void): void {
    this.#listeners.push(listener)
  }

  async addUsage (day: string, counts: Counts): Promise<Counts> {
    return await this.#write(() => Object.fromEntries(Object.entries(counts).map(([field, by]) => {
      const total = (this.#usage.get([day, field]) ?? 0) + by
      this.#usage.put([day, field], total)
      return [field, total]
    })))
  }

  async usage (day: string): Promise<Counts> {
    const range = this.#usage.getRange({ start: [day, ''], end: [`${day}\uffff`, ''] })
    return Object.fromEntries(Array.from(range, ({ key, value }) => [key[1], value]))
  }

  async mergeSeries (day: string, application: string, registers: Registers): Promise<Uint8Array> {
    return await this.#write(() => {
      const merged = Buffer.alloc(REGISTERS)
      merged.set(this.#series.get([day, application]) ?? [])
      for (const [index, rank] of registers) merged[index] = Math.max(merged[index]!, rank)
      this.#series.put([day, application], merged)
      return merged
    })
  }

  async series (day: string, application: string): Promise<Uint8Array> {
    return this.#series.get([day, application]) ?? new Uint8Array()
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

  /** Forgets what has ended. */
  async #sweep (): Promise<void> {
    const now = this.#now()
    while (await this.#sweepTexts(now) === SWEEP_LIMIT);
    const oldest = dayOf(now - USAGE_DAYS * DAY_MS)
    await this.#write(() => {
      for (const key of [...this.#claimEnds.getKeys({ end: [now, ''], limit: SWEEP_LIMIT })]) {
        this.#claimEnds.remove(key)
        this.#claims.remove(key[1])
      }
      for (const { key, value } of [...this.#revocations.getRange({})]) {
        if (value.expiresAt <= now) this.#revocations.remove(key)
      }
      for (const key of [...this.#usage.getKeys({ end: [oldest, ''], limit: SWEEP_LIMIT })]) this.#usage.remove(key)
      for (const key of [...this.#series.getKeys({ end: [oldest, ''], limit: SWEEP_LIMIT })]) this.#series.remove(key)
    })
  }

  /** @returns how many have ended, at most SWEEP_LIMIT */
  async #sweepTexts (now: number): Promise<number> {
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
