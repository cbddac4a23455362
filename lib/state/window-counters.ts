import { LRUCache } from 'lru-cache'
import type { StateStore } from './store.js'

/** How often the counts of the processes are brought together. */
export const SYNC_MS = 250
/** Keys counted at once; the one longest unused is forgotten. */
const MAX_KEYS = 100_000

type WindowStore = Pick<StateStore, 'shared' | 'countInWindows'>

interface Window {
  key: string
  windowMs: number
  /** Unix milliseconds. */
  endsAt: number
  /** Counted by all processes, as of the last time they were brought together. */
  total: number
  /** Counted here since then. */
  pending: number
}

export interface WindowCount {
  /** Hits in this window, this one included. */
  count: number
  /** Until the window ends. */
  endsInMs: number
}

/**
 * Counts hits in windows that start with their first hit. A hit costs no call: the counts of several processes are
 * brought together every SYNC_MS, so that a limit may be passed by what the other processes let through in that time.
 * While the store is away each process counts for itself.
 */
export class WindowCounters {
  readonly #store: WindowStore
  readonly #now: () => number
  // With `max` it would take the room of them all when it is made, a sixtieth of a start.
  readonly #windows = new LRUCache<string, Window>({ maxSize: MAX_KEYS, sizeCalculation: () => 1 })
  readonly #timer: NodeJS.Timeout | undefined
  #changed = new Set<Window>()
  #syncing: Promise<void> | null = null

  /** @param now Unix milliseconds */
  constructor (store: WindowStore, now: () => number) {
    this.#store = store
    this.#now = now
    if (store.shared) this.#timer = setInterval(() => { this.sync() }, SYNC_MS).unref()
  }

  hit (key: string, windowMs: number): WindowCount {
    const now = this.#now()
    let window = this.#windows.get(key)
    if (window === undefined || window.endsAt <= now) {
      window = { key, windowMs, endsAt: now + windowMs, total: 0, pending: 0 }
      this.#windows.set(key, window)
    }
    window.pending++
    if (this.#store.shared) this.#changed.add(window)
    return { count: window.total + window.pending, endsInMs: window.endsAt - now }
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
    const counts = windows.map(({ key, pending, windowMs }) => ({ key, by: pending, windowMs }))
    try {
      const totals = await this.#store.countInWindows(counts)
      const answeredAt = this.#now()
      for (const [i, window] of windows.entries()) {
        window.total = totals[i]!.total
        window.pending -= counts[i]!.by
        window.endsAt = answeredAt + totals[i]!.endsInMs
      }
    } catch {
      for (const window of windows) this.#changed.add(window)
    }
  }
}
