import type { BatchLimits, DeadLetter, SpoolRecord } from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import { mergeChunks, packEntries, writeChunk, type Chunk, type MergedChunk, type PackedChunk } from '../entry-codec.js'
import type { StoredLedger } from '../ledger.js'
import type { Destination, Entry } from './destination.js'
import type { Claim } from './frame.js'
import type { LmdbStore, Writes } from './store.js'

/** Expired idempotency keys that one flush sweeps at most. */
const SWEEP_LIMIT = 200
const LEDGER_KEY = 'ledger'
const JOURNAL_KEY = 'journal'

/** The part of the ledger that is stored; what is in the spool follows from the entries. */
export interface Counters extends StoredLedger {
  /** Dead letters kept now, and the bytes of their lines. */
  letters: number
  letterBytes: number
}

export function readCounters (store: LmdbStore): Counters {
  const stored = store.state.get(LEDGER_KEY)
  const empty: Counters = { accepted: 0, delivered: 0, rejected: {}, deadLettered: 0, evicted: 0, letters: 0, letterBytes: 0 }
  return stored === undefined ? empty : { ...empty, ...JSON.parse(stored) }
}

/** The youngest frame of the journal that the tables hold. */
export function readJournaled (store: LmdbStore): number {
  return Number(store.state.get(JOURNAL_KEY) ?? 0)
}

/** What one flush is going to write, and what changes in memory once it is written. */
export class WriteBatch {
  readonly counters: Counters
  /** Destinations that this flush writes to. */
  readonly touched = new Set<Destination>()
  readonly #store: LmdbStore
  readonly #limits: Record<Kind, BatchLimits>
  readonly #now: number
  readonly #nextSeq: () => number
  readonly #writes: ((writes: Writes) => void)[] = []
  readonly #done: (() => void)[] = []
  readonly #removedLetters = new Set<string>()

  constructor (store: LmdbStore, limits: Record<Kind, BatchLimits>, counters: Counters, nextSeq: () => number, now: number) {
    this.#store = store
    this.#limits = limits
    this.counters = structuredClone(counters)
    this.#nextSeq = nextSeq
    this.#now = now
  }

  /** Runs after the commit. */
  whenDone (callback: () => void): void {
    this.#done.push(callback)
  }

  /** Adds records at the end of the queue. */
  putRecords (destination: Destination, records: SpoolRecord[], appendedAt: number): Entry[] {
    return this.#putChunks(destination, packEntries(records, this.#limits[destination.kind]).map(write), appendedAt)
  }

  /** Adds what was packed already. */
  putPacked (destination: Destination, chunks: Chunk[], appendedAt: number): Entry[] {
    return this.#putChunks(destination, mergeChunks(chunks, this.#limits[destination.kind]), appendedAt)
  }

  #putChunks (destination: Destination, chunks: MergedChunk[], appendedAt: number): Entry[] {
    this.touched.add(destination)
    if (!destination.named) {
      this.#writes.push(writes => writes.put(this.#store.names, destination.id, JSON.stringify([destination.kind, destination.name])))
      this.whenDone(() => { destination.named = true })
    }
    return chunks.map(chunk => this.#putEntry(destination, chunk, this.#nextSeq(), appendedAt))
  }

  /** Removes entries and puts records in their place, which are as old as the oldest of the entries. */
  replaceEntries (destination: Destination, entries: Entry[], records: SpoolRecord[]): Entry[] {
    this.touched.add(destination)
    this.#writes.push(writes => { for (const entry of entries) writes.removeEntry(destination.id, entry) })
    const appendedAt = Math.min(...entries.map(entry => entry.appendedAt))
    return packEntries(records, this.#limits[destination.kind], entries.length).map((chunk, i) => this.#putEntry(destination, write(chunk), entries[i]!.seq, appendedAt))
  }

  #putEntry (destination: Destination, { values, ...sizes }: MergedChunk, seq: number, appendedAt: number): Entry {
    const entry = { seq, ...sizes, appendedAt }
    this.#writes.push(writes => writes.putEntry(destination.id, entry, values))
    return entry
  }

  removeName (destination: Destination): void {
    this.#writes.push(writes => writes.remove(this.#store.names, destination.id))
  }

  putClaims (claims: Claim[]): void {
    if (claims.length > 0) this.#sweepClaims()
    this.#writes.push(writes => {
      for (const [hash, expiresAt, answer] of claims) {
        writes.put(this.#store.idempotency, hash, JSON.stringify([expiresAt, answer]))
        writes.put(this.#store.idempotencyExpiry, [expiresAt, hash], '')
      }
    })
  }

  /** Removes those that have expired; before new ones are written, which may renew one of them. */
  #sweepClaims (): void {
    const expired = [...this.#store.idempotencyExpiry.getKeys({ end: [this.#now, ''], limit: SWEEP_LIMIT })]
    for (const [expiresAt, hash] of expired) {
      const stored = this.#store.idempotency.get(hash)
      // A key claimed again since has a later expiry of its own.
      const stale = stored !== undefined && JSON.parse(stored)[0] === expiresAt
      this.#writes.push(writes => {
        writes.remove(this.#store.idempotencyExpiry, [expiresAt, hash])
        if (stale) writes.remove(this.#store.idempotency, hash)
      })
    }
  }

  /** The tables will hold every frame of the journal up to this one. */
  putJournaled (frame: number): void {
    this.#writes.push(writes => writes.put(this.#store.state, JOURNAL_KEY, String(frame)))
  }

  putLetter (letter: DeadLetter): void {
    this.counters.letters++
    this.counters.letterBytes += Buffer.byteLength(letter.line)
    this.#writes.push(writes => writes.put(this.#store.deadLetters, letter.id, JSON.stringify(letter)))
  }

  /** Null when it is gone already. */
  takeLetter (id: string): DeadLetter | null {
    const stored = this.#store.deadLetters.get(id)
    if (stored === undefined || this.#removedLetters.has(id)) return null
    this.#removedLetters.add(id)
    const letter = JSON.parse(stored) as DeadLetter
    this.counters.letters--
    this.counters.letterBytes -= Buffer.byteLength(letter.line)
    this.#writes.push(writes => writes.remove(this.#store.deadLetters, id))
    return letter
  }

  /** Makes it all durable in one transaction, then changes what is in memory. */
  async commit (): Promise<void> {
    await this.#store.commit(writes => {
      for (const write of this.#writes) write(writes)
      writes.put(this.#store.state, LEDGER_KEY, JSON.stringify(this.counters))
    })
    for (const done of this.#done) done()
  }
}

function write (packed: PackedChunk): MergedChunk {
  const { value, ...sizes } = writeChunk(packed)
  return { ...sizes, values: [value] }
}
