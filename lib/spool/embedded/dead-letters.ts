import type { LetterStore } from '../dead-letters.js'
import type { DeadLetter } from '../spool.js'
import type { WriteBatch, Counters } from './write-batch.js'
import type { LmdbStore } from './store.js'

export interface LetterStoreContext {
  store: LmdbStore
  counters: () => Counters
  /** Adds to the next flush; resolves with what `prepare` returned once that is durable. */
  write: <T>(prepare: (changes: WriteBatch, now: number) => T, lineBytes: number) => Promise<T>
  /** Appends the lines of a letter that was taken out. */
  append: (changes: WriteBatch, letter: DeadLetter, now: number) => void
}

export function createLetterStore ({ store, counters, write, append }: LetterStoreContext): LetterStore {
  return {
    async page (after, limit) {
      const range = store.deadLetters.getRange({ ...(after === null ? {} : { start: `${after}\u0001` }), limit })
      return [...range].map(({ value }) => JSON.parse(value) as DeadLetter)
    },

    async get (id) {
      const stored = id === '' ? undefined : store.deadLetters.get(id.slice(0, 100))
      return stored === undefined ? null : JSON.parse(stored) as DeadLetter
    },

    redrive: letter => write((changes, now) => {
      const taken = changes.takeLetter(letter.id)
      if (taken === null) return false
      changes.counters.deadLettered -= taken.items
      append(changes, taken, now)
      return true
    }, Buffer.byteLength(letter.line)),

    remove: (letters, evicted) => write(changes => {
      const taken = letters.map(({ id }) => changes.takeLetter(id)).filter(letter => letter !== null)
      if (evicted) for (const { items } of taken) changes.counters.evicted += items
      return taken
    }, 0),

    async size () {
      const { letters, letterBytes } = counters()
      return { letters, bytes: letterBytes }
    }
  }
}

/** Sorts by time. */
export function letterId (at: number, sequence: number): string {
  return `${String(at).padStart(15, '0')}-${String(sequence).padStart(8, '0')}`
}
