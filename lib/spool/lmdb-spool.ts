import { EventEmitter } from 'node:events'
import type { Ledger } from '../outcome.js'
import { lineBytesOf, unpackChunk } from './chunk.js'
import { createDeadLetters } from './dead-letters.js'
import { GroupCommit, type Pending } from './group-commit.js'
import { createLedger } from './ledger.js'
import { Changes, readCounters, type Counters } from './lmdb/changes.js'
import { createLetterStore, letterId } from './lmdb/dead-letters.js'
import type { Destination, HeldLease } from './lmdb/destination.js'
import { prepareDirectory } from './lmdb/directory.js'
import { Disk } from './lmdb/disk.js'
import { lockDirectory } from './lmdb/lock.js'
import { Scheduler } from './lmdb/scheduler.js'
import { LmdbStore } from './lmdb/store.js'
import { retryStore } from './retry.js'
import { countOutcomes, type Outcomes } from './settlement.js'
import {
  SpoolFullError, SpoolUnavailableError,
  type Append, type AppendResult, type DeadLetters, type Depth, type Kind, type Lease, type Settlement, type Spool,
  type SpoolOptions, type SpoolRecord, type TakeOptions, type TakeResult
} from './spool.js'

const MAX_FLUSH_OPS = 2_000
const MAX_FLUSH_BYTES = 8 * 2 ** 20
/** Destinations that one flush forgets at most. */
const MAX_FORGET = 100

export interface LmdbSpoolOptions extends SpoolOptions {
  /** Made when missing; one process at a time. */
  dataDir: string
  /**
   * `commit`: what is appended survives the end of the process, and a power cut takes the last commits at most.
   * `always`: append waits until the disk has confirmed.
   */
  sync: 'commit' | 'always'
  /** Bytes left on the disk of a directory; asks the system unless given. */
  diskFree?: (directory: string) => number
}

/** Something to be written with the next flush. */
type Write = {
  /** Bytes that it adds; zero for what makes room. */
  lineBytes: number
} & ({ append: Append } | { append: null, prepare: (changes: Changes, now: number) => unknown })

/**
 * Opens the spool on the local disk, for one process.
 * @throws SpoolConfigurationError when the directory cannot be used, or another process uses it
 */
export async function openLmdbSpool (options: LmdbSpoolOptions): Promise<Spool> {
  prepareDirectory(options.dataDir)
  const unlock = await lockDirectory(options.dataDir)
  try {
    const store = new LmdbStore(options.dataDir, options.maxBytes + options.deadLetterMaxBytes, options.sync)
    return new LmdbSpool(options, store, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

class LmdbSpool implements Spool {
  readonly deadLetters: DeadLetters
  readonly #options: LmdbSpoolOptions
  readonly #store: LmdbStore
  readonly #disk: Disk
  readonly #unlock: () => Promise<void>
  readonly #scheduler: Scheduler
  readonly #commits: GroupCommit<Write, unknown>
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #closing = new AbortController()
  #counters: Counters
  #closed: Promise<void> | null = null
  /** Bytes of appends that wait for their flush. */
  #pendingBytes = 0
  #nextSeq = 1
  #nextLetter = 0

  constructor (options: LmdbSpoolOptions, store: LmdbStore, unlock: () => Promise<void>) {
    this.#options = options
    this.#store = store
    this.#disk = new Disk(options.dataDir, options.diskFree)
    this.#unlock = unlock
    this.#counters = readCounters(store)
    this.#scheduler = new Scheduler(options, kind => this.#events.emit('due', kind))
    this.#restore()
    this.#commits = new GroupCommit(group => this.#flush(group), {
      maxOps: MAX_FLUSH_OPS, maxWeight: MAX_FLUSH_BYTES, weigh: write => write.lineBytes
    })
    this.deadLetters = createDeadLetters(createLetterStore({
      store,
      counters: () => this.#counters,
      write: (prepare, lineBytes) => this.#write({ append: null, prepare, lineBytes }),
      append: (changes, { kind, destination, line, items, bytes }, now) => {
        this.#putRecords(changes, this.#scheduler.destination(kind, destination), [{ line, items, bytes }], false, now)
      }
    }), options)
  }

  async append (append: Append): Promise<AppendResult> {
    return await this.#write({ append, lineBytes: lineBytesOf(append.records) })
  }

  async take (kind: Kind, { flush = false }: TakeOptions = {}): Promise<TakeResult> {
    this.#assertOpen()
    const now = Date.now()
    if (flush) this.#scheduler.flush(kind, now)
    const taken = this.#scheduler.take(
      kind, now,
      (destination, entry) => this.#store.readEntry(destination.id, entry),
      destination => this.#store.readEntries(destination.id, destination.cursor, destination.lastSeq)
    )
    if (taken === null) return { lease: null, nextDueMs: this.#scheduler.nextDueMs(kind, now) }
    const { lease: { id, destination }, picked } = taken
    return { lease: { id, kind, destination: destination.name, records: picked.flatMap(({ entry, value }) => unpackChunk(value, entry)), attempt: destination.attempt } }
  }

  async extend (lease: Lease): Promise<void> {
    const held = this.#scheduler.lease(lease.id)
    if (held !== undefined) this.#scheduler.extend(held, Date.now())
  }

  async settle (lease: Lease, settlement: Settlement): Promise<void> {
    const outcomes = countOutcomes(lease, settlement)
    const held = this.#scheduler.lease(lease.id)
    if (held === undefined || held.settling) return
    held.settling = true
    try {
      await retryStore(() => this.#write({
        append: null,
        lineBytes: 0,
        prepare: (changes, now) => this.#prepareSettlement(changes, now, held, settlement, outcomes)
      }), this.#options.leaseMs * 2, this.#closing.signal)
    } catch (error) {
      this.#scheduler.unsettled(held)
      throw error
    }
  }

  async release (lease: Lease, delayMs: number): Promise<void> {
    const held = this.#scheduler.lease(lease.id)
    if (held !== undefined && !held.settling) this.#scheduler.release(held, delayMs, Date.now())
  }

  async depth (kind?: Kind): Promise<Depth> {
    this.#assertOpen()
    return this.#scheduler.depth(kind, Date.now(), destination => this.#store.firstEntry(destination.id, destination.cursor, destination.lastSeq))
  }

  async ledger (): Promise<Ledger> {
    return createLedger(this.#counters, this.#scheduler.items)
  }

  onDue (listener: (kind: Kind) => void): () => void {
    this.#events.on('due', listener)
    return () => { this.#events.off('due', listener) }
  }

  async ping (): Promise<void> {
    this.#assertOpen()
  }

  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.#closing.abort()
    await this.#commits.idle()
    await this.#store.close()
    await this.#unlock()
  }

  #assertOpen (): void {
    if (this.#closed !== null) throw new SpoolUnavailableError('the spool is closed')
  }

  #restore (): void {
    const now = Date.now()
    for (const { key, value } of this.#store.names.getRange()) {
      const [kind, name] = JSON.parse(value) as [Kind, string]
      this.#scheduler.load(key, kind, name)
    }
    for (const { destinationId, entry } of this.#store.scanEntries()) {
      this.#scheduler.restore(destinationId, entry, now)
      this.#nextSeq = Math.max(this.#nextSeq, entry.seq + 1)
    }
    this.#scheduler.restored()
  }

  /** @throws SpoolFullError when these bytes do not fit; otherwise they are counted until the caller takes them back */
  #reserve (lineBytes: number): void {
    this.#assertOpen()
    if (lineBytes > 0) {
      const { maxBytes } = this.#options
      const bytes = this.#scheduler.lineBytes + this.#pendingBytes + lineBytes
      if (bytes > maxBytes) throw new SpoolFullError(`the spool holds its maximum of ${maxBytes} bytes`)
      const refusal = this.#disk.refusal(bytes + this.#counters.letterBytes)
      if (refusal !== null) throw new SpoolFullError(refusal)
    }
    this.#pendingBytes += lineBytes
  }

  async #write<T> (write: Write): Promise<T> {
    this.#reserve(write.lineBytes)
    try {
      return await this.#commits.push(write) as T
    } finally {
      this.#pendingBytes -= write.lineBytes
    }
  }

  async #flush (group: Pending<Write, unknown>[]): Promise<void> {
    try {
      await this.#commit(group)
    } catch (error) {
      const growing = group.filter(({ op }) => op.lineBytes > 0)
      if (growing.length === 0 || growing.length === group.length) throw error
      // What makes room must not fail together with what needs it.
      for (const { reject } of growing) reject(error as Error)
      await this.#commit(group.filter(({ op }) => op.lineBytes === 0))
    }
  }

  async #commit (group: Pending<Write, unknown>[]): Promise<void> {
    const now = Date.now()
    const changes = new Changes(this.#store, this.#options.limits, this.#counters, () => this.#nextSeq++, now)
    if (group.some(({ op }) => op.append?.idempotency !== undefined)) changes.sweepIdempotency()
    const appends = new Map<Destination, Gathered>()
    const results = group.map(({ op }) => op.append === null ? op.prepare(changes, now) : this.#gather(op.append, changes, appends))
    for (const [destination, { records, urgent }] of appends) this.#putRecords(changes, destination, records, urgent, now)
    this.#forgetEmpty(changes, now)
    await changes.commit()
    this.#counters = changes.counters
    group.forEach(({ resolve }, i) => resolve(results[i]))
  }

  /** Puts the appends of one destination together, so that they share entries. */
  #gather (append: Append, changes: Changes, appends: Map<Destination, Gathered>): AppendResult {
    const { kind, records, urgent = false, idempotency } = append
    const answer = idempotency === undefined ? null : changes.claim(idempotency.key, idempotency.answer)
    if (answer !== null) return { stored: false, answer }
    if (records.length === 0) return { stored: true }
    const destination = this.#scheduler.destination(kind, append.destination)
    const gathered = appends.get(destination)
    if (gathered === undefined) appends.set(destination, { records: [...records], urgent })
    else {
      gathered.records.push(...records)
      gathered.urgent ||= urgent
    }
    for (const { items } of records) changes.counters.accepted += items
    return { stored: true }
  }

  #putRecords (changes: Changes, destination: Destination, records: SpoolRecord[], urgent: boolean, now: number): void {
    const entries = changes.putRecords(destination, records, now)
    changes.whenDone(() => this.#scheduler.appended(destination, entries, urgent, now))
  }

  #forgetEmpty (changes: Changes, now: number): void {
    const forgettable = this.#scheduler.forgettable(changes.touched, now).slice(0, MAX_FORGET)
    for (const destination of forgettable) changes.removeName(destination)
    changes.whenDone(() => this.#scheduler.forget(forgettable))
  }

  #prepareSettlement (changes: Changes, now: number, held: HeldLease, settlement: Settlement, outcomes: Outcomes): void {
    const { destination, entries } = held
    const { counters } = changes
    counters.delivered += outcomes.delivered
    counters.deadLettered += outcomes.deadLettered
    for (const [reason, count] of Object.entries(settlement.rejected ?? {})) counters.rejected[reason] = (counters.rejected[reason] ?? 0) + count
    for (const letter of settlement.deadLetters ?? []) {
      const { kind, name } = destination
      changes.putLetter({ ...letter, id: letterId(now, this.#nextLetter++), kind, destination: name, at: now })
    }
    const remainder = changes.replaceEntries(destination, entries, settlement.remainder ?? [])
    const progress = outcomes.delivered + outcomes.rejected + outcomes.deadLettered > 0
    changes.whenDone(() => this.#scheduler.settled(held, remainder, progress, settlement.delayMs, now))
  }
}

interface Gathered {
  records: SpoolRecord[]
  urgent: boolean
}
