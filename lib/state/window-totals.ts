import { LRUCache } from 'lru-cache'
import type { MonotonicMs } from '../../schemas/common.js'
import type { WindowIncrement, WindowTotal } from './store.js'

/** Windows counted at once; the one longest unused is forgotten. */
export const MAX_WINDOWS = 100_000

/** Brings the counts of several processes together in the memory of one. */
export class WindowTotals {
  readonly #now: () => MonotonicMs
  // With `max` the cache would reserve the memory of all windows at once.
  readonly #windows = new LRUCache<string, { total: number, endsAt: MonotonicMs }>({
    maxSize: MAX_WINDOWS, sizeCalculation: () => 1
  })

  constructor (now: () => MonotonicMs) {
    this.#now = now
  }

  add (increments: readonly WindowIncrement[]): WindowTotal[] {
    const now = this.#now()
    return increments.map(({ key, by, windowMs }) => {
      let window = this.#windows.get(key)
      if (window === undefined || window.endsAt <= now) {
        window = { total: 0, endsAt: now + windowMs }
        this.#windows.set(key, window)
      }
      window.total += by
      return { total: window.total, endsInMs: Math.ceil(window.endsAt - now) }
    })
  }
}
