import type { UnixMs } from '../../../schemas/common.js'
import type { DeadLetterStore } from '../dead-letters.js'
import type { DeadLetter } from '../spool.js'
import type { Tables } from './tables.js'
import type { Counters, WriteBatch } from './write-batch.js'

export interface DeadLetterStoreContext {
  tables: Tables
  counters: () => Counters
  /** Adds to the next write batch; resolves with the result of `prepare` once the batch is durable. */
  write: <T>(prepare: (batch: WriteBatch, now: UnixMs) => T, lineBytes: number) => Promise<T>
  /** Appends the record of a dead letter that is removed in the same batch. */
  append: (batch: WriteBatch, deadLetter: DeadLetter, now: UnixMs) => void
}

export function createDeadLetterStore ({ tables, counters, write, append }: DeadLetterStoreContext): DeadLetterStore {
  return {
    async page (after, limit) {
      const range = tables.deadLetters.getRange({ ...(after === null ? {} : { start: `${after}\u0001` }), limit })
      return [...range].map(({ value }) => JSON.parse(value) as DeadLetter)
    },

    async get (id) {
      const stored = id === '' ? undefined : tables.deadLetters.get(id.slice(0, 100))
      return stored === undefined ? null : JSON.parse(stored) as DeadLetter
    },

    redrive: ({ id, line }) => write((batch, now) => {
      const removed = batch.removeDeadLetter(id)
      if (removed === null) return false
      batch.counters.deadLettered -= removed.items
      append(batch, removed, now)
      return true
    }, Buffer.byteLength(line)),

    remove: ({ id }, evicted) => write(batch => {
      const removed = batch.removeDeadLetter(id)
      if (removed === null) return false
      if (evicted) batch.counters.evicted += removed.items
      return true
    }, 0),

    async size () {
      const { letters, letterBytes } = counters()
      return { count: letters, bytes: letterBytes }
    }
  }
}

/**
 * Makes ids that sort by time, and behind those that are stored, whatever the clock says: the first ones are the first
 * to give way.
 */
export function deadLetterIds (tables: Tables): (at: UnixMs) => string {
  const [last] = [...tables.deadLetters.getKeys({ reverse: true, limit: 1 })]
  let time = last === undefined ? 0 : parseInt(last, 10) + 1
  let sequence = 0
  return at => {
    time = Math.max(at, time)
    return `${String(time).padStart(15, '0')}-${String(sequence++).padStart(8, '0')}`
  }
}
