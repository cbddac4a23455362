import { DAY_MS, type UnixMs } from '../../schemas/common.js'

/** Hits to be added to the count of one window. */
export interface WindowIncrement {
  key: string
  by: number
  windowMs: number
}

export interface WindowTotal {
  /** The hits of all processes. */
  total: number
  /** Milliseconds until the window ends. */
  endsInMs: number
}

/** Counters by name. */
export type Counts = Record<string, number>

/** Named counters of each day; a day is written as in 2026-11-22. */
export interface DailyCounters {
  /**
   * Adds all counts, or none of them.
   * @returns the totals of these counters over all processes
   */
  add (day: string, counts: Counts): Promise<Counts>
  /** All counters of the day. */
  get (day: string): Promise<Counts>
}

export interface BoundedTextsOptions {
  /** Texts kept at most. At least the third of them that was set last is kept. */
  max: number
  /** A text may be forgotten after this time. */
  ttlMs: number
}

/** The texts of keys. Beyond a number of texts, the texts that were set longest ago are forgotten. */
export interface BoundedTexts {
  setMany (texts: Record<string, string>): Promise<void>
  /** The texts of the keys that are known. */
  getMany (keys: string[]): Promise<Map<string, string>>
}

/** Index and value of registers of one byte each. */
export type Registers = Array<[index: number, value: number]>

/** A row of registers for each day and key, whose values only grow. */
export interface DailyRegisters {
  /**
   * Raises each register that is lower than the value given for it.
   * @returns all registers up to the highest index that was ever merged
   */
  merge (day: string, key: string, registers: Registers): Promise<Uint8Array>
  /** All registers, as `merge` returns them; empty when none was ever merged. */
  get (day: string, key: string): Promise<Uint8Array>
}

/** The fields of every entry of a versioned set; all others are JSON. */
export interface SetEntry {
  /** Any text but "version". */
  id: string
  expiresAt: UnixMs
}

/** Entries that every process knows: one for each id, of the highest rank that was put. */
export interface VersionedSet<Entry extends SetEntry> {
  /** Replaces the entry of the same id unless that one ranks higher, and publishes the new entry to all processes. */
  put (entry: Entry): Promise<void>
  /** The entries that have not expired. */
  list (): Promise<Entry[]>
  /** Changes whenever an entry replaces another or is new. */
  version (): Promise<number>
  /**
   * Calls the listener with every entry that is put by this process or another, as a rule within milliseconds. Resolves
   * when it listens. Entries that are put while the connection is broken are missed: `version` tells.
   */
  subscribe (listener: (entry: Entry) => void): Promise<void>
}

/**
 * State that all processes of one gateway share, beside the spool: primitives that know nothing of their use. Each name
 * of counters, registers or a set is used for one of them only. Every method rejects with StateStoreError when the
 * store does not answer in time.
 */
export interface StateStore {
  /** Whether other processes may use this store, too. */
  shared: boolean

  /** Each window starts with its first hit. Only of use when the store is shared. */
  countInWindows (increments: WindowIncrement[]): Promise<WindowTotal[]>

  /** @returns whether the key was absent; from then on it is set for `ttlMs` */
  setIfAbsent (key: string, ttlMs: number): Promise<boolean>

  /** Sets the texts of keys, each for `ttlMs`. */
  setMany (texts: Record<string, string>, ttlMs: number): Promise<void>
  /** The texts of the keys that are set. */
  getMany (keys: string[]): Promise<Map<string, string>>

  boundedTexts (name: string, options: BoundedTextsOptions): BoundedTexts

  /** Counters that are kept for KEPT_DAYS. */
  dailyCounters (name: string): DailyCounters
  /** Registers that are kept for KEPT_DAYS. */
  dailyRegisters (name: string): DailyRegisters
  /** @param rankField the field whose number is the rank of an entry; an entry without it has the rank 0 */
  versionedSet<Entry extends SetEntry> (name: string, rankField: keyof Entry & string): VersionedSet<Entry>

  /** May be called twice. */
  close (): Promise<void>
}

/** The store cannot be reached, or refuses to answer. */
export class StateStoreError extends Error {
  override name = 'StateStoreError'
}

/** Days for which daily counters and registers are kept. */
export const KEPT_DAYS = 35
/** Expired entries are kept for this long, so that none is forgotten while a wall clock is wrong for some hours. */
export const CLOCK_SLACK_MS = DAY_MS

/** The day of a time, in UTC. */
export function dayOf (time: UnixMs): string {
  return new Date(time).toISOString().slice(0, 10)
}
