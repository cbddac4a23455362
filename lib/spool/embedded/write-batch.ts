import type { UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { BatchLimits } from '../batch-limits.js'
import {
  encodeEntry, mergeEntries, packEntries, type EncodedEntry, type MergedEntry, type PackedEntry
} from '../entry-codec.js'
import type { KeyLimits } from '../key-limits.js'
import type { StoredLedger } from '../ledger.js'
import type { DeadLetter, SpoolRecord } from '../spool.js'
import type { Destination, StoredEntry } from './destination.js'
import type { KeyedAnswer } from './frame.js'
import { putKeys, type KeyCounters } from './key-tables.js'
import type { Tables, Writes } from './tables.js'

const LEDGER_KEY = 'ledger'
const JOURNAL_KEY = 'journal'

/** The stored part of the ledger; the names of its fields are stored too. */
export interface Counters extends StoredLedger {
  /** Dead letters stored now. */
  letters: number
  /** Bytes of their lines. */
  letterBytes: number
  /** Bytes that are kept for idempotency keys: of all, and by application. */
  keys: KeyCounters
}

export function readCounters (tables: Tables): Counters {
  const stored = tables.state.get(LEDGER_KEY)
  const empty: Counters = {
    accepted: 0,
    delivered: 0,
    rejected: {},
    deadLettered: 0,
    evicted: 0,
    letters: 0,
    letterBytes: 0,
    keys: { bytes: 0, byApplication: {} }
  }
  return stored === undefined ? empty : { ...empty, ...JSON.parse(stored) }
}

/** The youngest frame of the journal whose content the tables have. */
export function readLastFrame (tables: Tables): number {
  return Number(tables.state.get(JOURNAL_KEY) ?? 0)
}

/** Writes to the tables that become durable together, and the changes in memory that follow them. */
export class WriteBatch {
  readonly counters: Counters
  /** Destinations that the batch writes to. */
  readonly touched = new Set<Destination>()
  readonly #tables: Tables
  readonly #limits: Record<Kind, BatchLimits>
  readonly #keyLimits: KeyLimits
  readonly #now: UnixMs
  readonly #nextSeq: () => number
  readonly #writes: ((writes: Writes) => void)[] = []
  readonly #afterCommit: (() => void)[] = []
  readonly #removedDeadLetters = new Set<string>()

  constructor (
    tables: Tables,
    limits: Record<Kind, BatchLimits>,
    keyLimits: KeyLimits,
    counters: Counters,
    nextSeq: () => number,
    now: UnixMs
  ) {
    this.#tables = tables
    this.#limits = limits
    this.#keyLimits = keyLimits
    this.counters = structuredClone(counters)
    this.#nextSeq = nextSeq
    this.#now = now
  }

  afterCommit (callback: () => void): void {
    this.#afterCommit.push(callback)
  }

  /** Adds records at the end of the queue. */
  putRecords (destination: Destination, records: SpoolRecord[], appendedAt: UnixMs): StoredEntry[] {
    return this.#putEntries(destination, packEntries(records, this.#limits[destination.kind]).map(encode), appendedAt)
  }

  /** Adds encoded entries at the end of the queue. */
  putEncoded (destination: Destination, entries: EncodedEntry[], appendedAt: UnixMs): StoredEntry[] {
    return this.#putEntries(destination, mergeEntries(entries, this.#limits[destination.kind]), appendedAt)
  }

  #putEntries (destination: Destination, entries: MergedEntry[], appendedAt: UnixMs): StoredEntry[] {
    this.touched.add(destination)
    if (!destination.named) {
      const { id, kind, name } = destination
      this.#writes.push(writes => writes.put(this.#tables.names, id, JSON.stringify([kind, name])))
      this.afterCommit(() => { destination.named = true })
    }
    return entries.map(entry => this.#putEntry(destination, entry, this.#nextSeq(), appendedAt))
  }

  /** Removes entries and puts records in their place, which are as old as the oldest of the entries. */
  replaceEntries (destination: Destination, replaced: StoredEntry[], records: SpoolRecord[]): StoredEntry[] {
    this.touched.add(destination)
    this.#writes.push(writes => { for (const entry of replaced) writes.removeEntry(destination.id, entry) })
    const appendedAt = Math.min(...replaced.map(entry => entry.appendedAt))
    const entries = packEntries(records, this.#limits[destination.kind], replaced.length).map(encode)
    return entries.map((entry, i) => this.#putEntry(destination, entry, replaced[i]!.seq, appendedAt))
  }

  #putEntry (
    destination: Destination, { values, ...sizes }: MergedEntry, seq: number, appendedAt: UnixMs
  ): StoredEntry {
    const entry = { seq, ...sizes, appendedAt }
    this.#writes.push(writes => writes.putEntry(destination.id, entry, values))
    return entry
  }

  removeName (destination: Destination): void {
    this.#writes.push(writes => writes.remove(this.#tables.names, destination.id))
  }

  putAnswers (answers: KeyedAnswer[]): void {
    if (answers.length > 0) {
      this.#writes.push(...putKeys(this.#tables, answers, this.counters.keys, this.#keyLimits, this.#now))
    }
  }

  /** With this batch the tables have the content of all frames up to this one. */
  putLastFrame (frame: number): void {
    this.#writes.push(writes => writes.put(this.#tables.state, JOURNAL_KEY, String(frame)))
  }

  putDeadLetter (deadLetter: DeadLetter): void {
    this.counters.letters++
    this.counters.letterBytes += Buffer.byteLength(deadLetter.line)
    this.#writes.push(writes => writes.put(this.#tables.deadLetters, deadLetter.id, JSON.stringify(deadLetter)))
  }

  /** @returns the dead letter that it removes; null when there is none */
  removeDeadLetter (id: string): DeadLetter | null {
    const stored = this.#tables.deadLetters.get(id)
    if (stored === undefined || this.#removedDeadLetters.has(id)) return null
    this.#removedDeadLetters.add(id)
    const deadLetter = JSON.parse(stored) as DeadLetter
    this.counters.letters--
    this.counters.letterBytes -= Buffer.byteLength(deadLetter.line)
    this.#writes.push(writes => writes.remove(this.#tables.deadLetters, id))
    return deadLetter
  }

  /** Makes the writes durable in one transaction, then makes the changes in memory. */
  async commit (): Promise<void> {
    await this.#tables.commit(writes => {
      for (const write of this.#writes) write(writes)
      writes.put(this.#tables.state, LEDGER_KEY, JSON.stringify(this.counters))
    })
    for (const callback of this.#afterCommit) callback()
  }
}

function encode (packed: PackedEntry): MergedEntry {
  const { value, ...sizes } = encodeEntry(packed)
  return { ...sizes, values: [value] }
}
