import { LRUCache } from 'lru-cache'
import type { MonotonicMs } from '../../schemas/common.js'
import type { StateStore } from './store.js'
import { MAX_WINDOWS } from './window-totals.js'

/** How often each process brings its counts together with those of the others. */
export const SYNC_MS = 250

type WindowStore = Pick<StateStore, 'shared' | 'countInWindows'>

interface Window {
  key: string
  windowMs: number
  endsAt: MonotonicMs
  /** Hits of all processes, as of the last sync. */
  total: number
  /** Hits of this process since then. */
  pending: number
}

export interface WindowCount {
  /** Hits in this window; that of `hit` included. */
  count: number
  /** Whole milliseconds until the window ends. */
  endsInMs: number
}

/**
 * Counts hits in windows that start with their first hit. No hit waits for the store: the counts of several processes
 * are brought together every SYNC_MS, so that a limit may be passed by the hits that the other processes let through in
 * that time. While the store is away each process counts for itself.
 */
export class WindowCounters {
  readonly #store: WindowStore
  readonly #now: () => MonotonicMs
  // With `max` the cache would reserve the memory of all windows at once.
  readonly #windows = new LRUCache<string, Window>({ maxSize: MAX_WINDOWS, sizeCalculation: () => 1 })
  readonly #timer: NodeJS.Timeout | undefined
  #changed = new Set<Window>()
  #syncing: Promise<void> | null = null

  constructor (store: WindowStore, now: () => MonotonicMs) {
    this.#store = store
    this.#now = now
    if (store.shared) this.#timer = setInterval(() => { this.sync() }, SYNC_MS).unref()
  }

  /** @param by how much the hit counts */
  hit (key: string, windowMs: number, by = 1): WindowCount {
    const now = this.#now()
    let window = this.#windows.get(key)
    if (window === undefined || window.endsAt <= now) {
      window = { key, windowMs, endsAt: now + windowMs, total: 0, pending: 0 }
      this.#windows.set(key, window)
    }
    window.pending += by
    if (this.#store.shared) this.#changed.add(window)
    return { count: window.total + window.pending, endsInMs: Math.min(Math.ceil(window.endsAt - now), windowMs) }
  }

  /** The hits of a window so far, as this process knows them; 0 for one that it has not hit. */
  look (key: string): WindowCount {
    const now = this.#now()
    const window = this.#windows.peek(key)
    if (window === undefined || window.endsAt <= now) return { count: 0, endsInMs: 0 }
    return { count: window.total + window.pending, endsInMs: Math.ceil(window.endsAt - now) }
  }

  /** Brings the counts together; never rejects. */
  async sync (): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => { this.#syncing = null })
    await this.#syncing
  }

  close (): void {
    clearInterval(this.#timer)
  }

  async #sync (): Promise<void> {
    const now = this.#now()
    const windows = [...this.#changed].filter(({ endsAt }) => endsAt > now)
    this.#changed = new Set()
    if (windows.length === 0) return
    const increments = windows.map(({ key, pending, windowMs }) => ({ key, by: pending, windowMs }))
    try {
      const totals = await this.#store.countInWindows(increments)
      const answeredAt = this.#now()
      for (const [i, window] of windows.entries()) {
        const { total, endsInMs } = totals[i]!
        window.total = total
        window.pending -= increments[i]!.by
        window.endsAt = answeredAt + Math.min(Math.max(endsInMs, 0), window.windowMs)
      }
    } catch {
      for (const window of windows) this.#changed.add(window)
    }
  }
}
