import type { Revocation } from '../access/revocations.js'
import type { Registers } from '../usage/hyperloglog.js'

/** Counts of one window, to be added to those of the other processes. */
export interface WindowCount {
  key: string
  by: number
  windowMs: number
}

export interface WindowTotal {
  /** Of all processes. */
  total: number
  /** Until the window ends. */
  endsInMs: number
}

/** Counters by field name. */
export type Counts = Record<string, number>

/**
 * What all processes of one gateway know together, beside the spool. Every method rejects with SharedStoreError when the
 * store does not answer in time.
 */
export interface StateStore {
  /** Whether other processes may use this store, too. */
  shared: boolean

  /** Each window starts with its first count. Only of use when the store is shared. */
  countInWindows (counts: WindowCount[]): Promise<WindowTotal[]>

  /** @returns whether nobody has claimed this key before; for `ttlMs` nobody else can. */
  setIfAbsent (key: string, ttlMs: number): Promise<boolean>

  /** Keeps texts under keys, each for `ttlMs`. */
  setMany (texts: Record<string, string>, ttlMs: number): Promise<void>
  /** Those of the keys whose text is still kept. */
  getMany (keys: string[]): Promise<Map<string, string>>

  /** Replaces the revocation of the same id, and lets all processes know. */
  revoke (revocation: Revocation): Promise<void>
  /** Those that have not expired. */
  revocations (): Promise<Revocation[]>
  /** Changes with every revocation. */
  revocationsVersion (): Promise<number>
  /** Calls the listener after a revocation, in this process or another, as a rule within milliseconds. */
  onRevoked (listener: (revocation: Revocation) => void): void

  /**
   * Adds to the counters of a day.
   * @param day as in 2026-11-22
   * @returns the totals of all processes, of these counters
   */
  addUsage (day: string, counts: Counts): Promise<Counts>
  usage (day: string): Promise<Counts>
  /** Takes the higher of each register. @returns all registers */
  mergeSeries (day: string, application: string, registers: Registers): Promise<Uint8Array>
  /** All registers; empty when none was ever merged. */
  series (day: string, application: string): Promise<Uint8Array>

  /** May be called twice. */
  close (): Promise<void>
}

/** The store cannot be reached, or refuses to answer. */
export class StateStoreError extends Error {
  override name = 'SharedStoreError'
}

/** Days of usage that are kept. */
export const USAGE_DAYS = 35
export const DAY_MS = 24 * 3_600_000

/** @param now Unix milliseconds */
export function dayOf (now: number): string {
  return new Date(now).toISOString().slice(0, 10)
}
