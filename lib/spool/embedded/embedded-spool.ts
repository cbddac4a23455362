import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Ledger } from '../../../schemas/reasons.js'
import { lineBytesOf, unpackChunk } from '../entry-codec.js'
import { createDeadLetters } from '../dead-letters.js'
import { GroupCommit, type Pending } from '../group-commit.js'
import { createLedger } from '../ledger.js'
import { WriteBatch, readCounters, readJournaled, type Counters } from './write-batch.js'
import { createLetterStore, letterId } from './dead-letters.js'
import type { HeldLease } from './destination.js'
import { prepareDirectory } from './directory.js'
import { Disk } from './disk.js'
import { fromFrame, toFrame, type Claim, type FrameContent } from './frame.js'
import { AppendGroup } from './append-group.js'
import { Journal, type Frame } from './journal.js'
import { lockDirectory } from './lock.js'
import { Scheduler } from './scheduler.js'
import { LmdbStore, writeError } from './store.js'
import { MemTable } from './mem-table.js'
import { retryStore } from '../retry.js'
import { countOutcomes, type Outcomes } from '../settlement.js'
import {
  SpoolFullError, SpoolUnavailableError,
  type Append, type AppendResult, type DeadLetters, type Depth, type Lease, type Settlement, type Spool,
  type SpoolOptions, type TakeOptions, type TakeResult
} from '../spool.js'
import type { Kind } from '../../../schemas/kinds.js'

const MAX_FLUSH_OPS = 2_000
const MAX_FLUSH_BYTES = 8 * 2 ** 20
/** Destinations that one flush forgets at most. */
const MAX_FORGET = 100
/** What the journal has taken goes into the tables after this time at the latest: the larger the portions, the less disk and memory they need. */
const STORE_MS = 500
/** Or at once, when it is this much: a few milliseconds of merging and compressing, in which no request is answered. */
const STORE_BYTES = 512 * 1_024
/** Appends wait while more than this is on its way from the journal to the tables. */
const MAX_UNSTORED_BYTES = 32 * 2 ** 20
/** Until what the tables did not take is tried again. */
const STORE_RETRY_MS = 1_000
const IDEMPOTENCY_TTL_MS = 24 * 3_600_000

export interface LmdbSpoolOptions extends SpoolOptions {
  /** Made when missing; one process at a time. */
  dataDir: string
  /**
   * `commit`: what is appended survives the end of the process, and a power cut takes the last tenth of a second at most.
   * `always`: append waits until the disk has confirmed.
   */
  sync: 'commit' | 'always'
  /** Bytes left on the disk of a directory; asks the system unless given. */
  diskFree?: (directory: string) => number
}

/** Something to be written into the tables with the next flush. */
interface Write {
  /** Bytes that it adds; zero for what makes room. */
  lineBytes: number
  prepare: (changes: WriteBatch, now: number) => unknown
}

/** Something to be written to the journal. */
interface SizedAppend {
  append: Append
  lineBytes: number
}

const STORED: AppendResult = { stored: true }
/** The frame itself says what it holds and where it goes, so neither is known. */
const CORRUPT_FRAME = { kind: 'logs', destination: 'journal', reason: 'corrupt', message: 'the journal does not hold what was written', bytes: 0 } as const

/**
 * Opens the spool on the local disk, for one process.
 * @throws SpoolConfigurationError when the directory cannot be used, or another process uses it
 */
export async function openLmdbSpool (options: LmdbSpoolOptions): Promise<Spool> {
  prepareDirectory(options.dataDir)
  const unlock = await lockDirectory(options.dataDir)
  try {
    const store = new LmdbStore(options.dataDir, options.maxBytes + options.deadLetterMaxBytes, options.sync)
    const spool = new LmdbSpool(options, store, unlock)
    await spool.recover()
    return spool
  } catch (error) {
    await unlock()
    throw error
  }
}

/**
 * Appends are durable once the journal has them, which takes one write; from there they go into the tables in larger
 * portions, before anything of them is due.
 */
class LmdbSpool implements Spool {
  readonly deadLetters: DeadLetters
  readonly #options: LmdbSpoolOptions
  readonly #tables: LmdbStore
  readonly #disk: Disk
  readonly #unlock: () => Promise<void>
  readonly #scheduler: Scheduler
  readonly #journal: Journal
  readonly #unstored: MemTable
  readonly #journaling: GroupCommit<SizedAppend, AppendResult>
  readonly #commits: GroupCommit<Write, unknown>
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #closing = new AbortController()
  #counters: Counters
  #closed: Promise<void> | null = null
  /** Bytes of appends that wait for their flush. */
  #pendingBytes = 0
  #nextSeq = 1
  #nextLetter = 0
  /** When what the journal has goes into the tables. */
  #storing: { timer: NodeJS.Timeout, at: number } | null = null

  constructor (options: LmdbSpoolOptions, store: LmdbStore, unlock: () => Promise<void>) {
    this.#options = options
    this.#tables = store
    this.#disk = new Disk(options.dataDir, options.diskFree)
    this.#unlock = unlock
    this.#counters = readCounters(store)
    this.#scheduler = new Scheduler(options, kind => this.#events.emit('due', kind))
    this.#restore()
    this.#journal = new Journal(options.dataDir, readJournaled(store), options.sync === 'always')
    this.#unstored = new MemTable(options.lingerMs, options.limits)
    this.#journaling = new GroupCommit(group => this.#journalGroup(group), {
      maxOps: MAX_FLUSH_OPS, maxWeight: MAX_FLUSH_BYTES, weigh: ({ lineBytes }) => lineBytes
    })
    this.#commits = new GroupCommit(group => this.#flush(group), {
      maxOps: MAX_FLUSH_OPS, maxWeight: MAX_FLUSH_BYTES, weigh: write => write.lineBytes
    })
    this.deadLetters = createDeadLetters(createLetterStore({
      store,
      counters: () => this.#counters,
      write: (prepare, lineBytes) => this.#write({ prepare, lineBytes }),
      append: (changes, { kind, destination, line, items, bytes }, now) => {
        const queue = this.#scheduler.destination(kind, destination)
        const entries = changes.putRecords(queue, [{ line, items, bytes }], now)
        changes.whenDone(() => this.#scheduler.appended(queue, entries, false, now))
      }
    }), options)
  }

  /** Takes in what earlier processes have left in the journal. */
  async recover (): Promise<void> {
    const corrupt: Frame[] = []
    for (const frame of this.#journal.recover()) {
      if (frame.intact) this.#journaled(frame.number, fromFrame(frame.body))
      else corrupt.push(frame)
    }
    await this.#store()
    if (corrupt.length > 0) await this.#bury(corrupt)
  }

  async append (append: Append): Promise<AppendResult> {
    const lineBytes = lineBytesOf(append.records)
    this.#reserve(lineBytes)
    return await this.#journaling.push({ append, lineBytes })
  }

  async take (kind: Kind, { flush = false }: TakeOptions = {}): Promise<TakeResult> {
    this.#assertOpen()
    const now = Date.now()
    if (flush || this.#unstored.nextDueMs(kind, now) === 0 || this.#couldTakeMore(kind, now)) await this.#store()
    if (flush) this.#scheduler.flush(kind, now)
    const taken = this.#scheduler.take(
      kind, now,
      (destination, entry) => this.#tables.readEntry(destination.id, entry),
      destination => this.#tables.readEntries(destination.id, destination.cursor, destination.lastSeq)
    )
    if (taken === null) return { lease: null, nextDueMs: sooner(this.#scheduler.nextDueMs(kind, now), this.#unstored.nextDueMs(kind, now)) }
    const { lease: { id, destination }, picked } = taken
    return { lease: { id, kind, destination: destination.name, records: picked.flatMap(({ entry, value }) => unpackChunk(value, entry)), attempt: destination.attempt } }
  }

  /** Whether the journal has more for a destination that is due without a full batch: it shares the call. */
  #couldTakeMore (kind: Kind, now: number): boolean {
    const destination = this.#scheduler.lingered(kind, now)
    return destination !== null && this.#unstored.has(kind, destination)
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
    const now = Date.now()
    const stored = this.#scheduler.depth(kind, now, destination => this.#tables.firstEntry(destination.id, destination.cursor, destination.lastSeq))
    const unstored = this.#unstored.depth(kind, now)
    return {
      records: stored.records + unstored.records,
      items: stored.items + unstored.items,
      bytes: stored.bytes + unstored.bytes,
      oldestAgeMs: Math.max(stored.oldestAgeMs, unstored.oldestAgeMs)
    }
  }

  async ledger (): Promise<Ledger> {
    const unstored = this.#unstored.items
    return createLedger({ ...this.#counters, accepted: this.#counters.accepted + unstored }, this.#scheduler.items + unstored)
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
    await this.#journaling.idle()
    await this.#store()
    await this.#commits.idle()
    clearTimeout(this.#storing?.timer)
    const stored = readJournaled(this.#tables)
    await this.#tables.close()
    await this.#journal.close(stored)
    await this.#unlock()
  }

  #assertOpen (): void {
    if (this.#closed !== null) throw new SpoolUnavailableError('the spool is closed')
  }

  #restore (): void {
    const now = Date.now()
    for (const { key, value } of this.#tables.names.getRange()) {
      const [kind, name] = JSON.parse(value) as [Kind, string]
      this.#scheduler.load(key, kind, name)
    }
    for (const { destinationId, entry } of this.#tables.scanEntries()) {
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
      const bytes = this.#scheduler.lineBytes + this.#unstored.lineBytes + this.#pendingBytes + lineBytes
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

  async #journalGroup (group: Pending<SizedAppend, AppendResult>[]): Promise<void> {
    const { dataDir, limits } = this.#options
    const now = Date.now()
    const gathering = new AppendGroup()
    const claims = new Map<string, Claim>()
    let items = 0
    const results = group.map(({ op: { append } }): AppendResult => {
      const answer = append.idempotency === undefined ? undefined : this.#claim(append.idempotency, claims, now)
      if (answer !== undefined) return { stored: false, answer }
      if (append.records.length > 0) gathering.add(append)
      for (const record of append.records) items += record.items
      return STORED
    })
    try {
      if (this.#unstored.lineBytes > MAX_UNSTORED_BYTES) await this.#store()
      if (this.#unstored.lineBytes > MAX_UNSTORED_BYTES) throw new SpoolFullError(`the disk under ${dataDir} does not take what waits for it`)
      if (items > 0 || claims.size > 0) {
        const claimed = [...claims.values()]
        const { body, journaled } = toFrame(gathering.all, claimed, limits, now)
        const frame = await this.#journal.append(body, items).catch((error: Error) => { throw writeError(dataDir, error) })
        this.#journaled(frame, { journaled, claims: claimed })
      }
    } finally {
      for (const { op } of group) this.#pendingBytes -= op.lineBytes
    }
    group.forEach(({ resolve }, i) => resolve(results[i]!))
  }

  /** The answer given to this key before; undefined for a key that is new, which is claimed with this answer. */
  #claim ({ key, answer }: NonNullable<Append['idempotency']>, claims: Map<string, Claim>, now: number): string | undefined {
    const hash = createHash('sha256').update(key).digest('base64url')
    const known = claims.get(hash)?.[2] ?? this.#unstored.answer(hash) ?? this.#tables.answer(hash, now)
    if (known === undefined) claims.set(hash, [hash, now + IDEMPOTENCY_TTL_MS, answer])
    return known
  }

  /** The journal has it, and the tables are to have it. */
  #journaled (frame: number, content: FrameContent): void {
    const pressed = this.#unstored.add(frame, content, (kind, destination) => this.#scheduler.waiting(kind, destination))
    for (const kind of pressed) this.#events.emit('due', kind)
    if (this.#unstored.lineBytes >= STORE_BYTES || content.journaled.some(({ urgent }) => urgent)) this.#store().catch(() => {})
    else this.#storeWithin(Math.min(STORE_MS, this.#options.lingerMs / 2))
  }

  #storeWithin (ms: number): void {
    const at = Date.now() + ms
    if (this.#storing !== null && this.#storing.at <= at) return
    clearTimeout(this.#storing?.timer)
    const timer = setTimeout(() => {
      this.#storing = null
      this.#store().catch(() => {})
    }, ms).unref()
    this.#storing = { timer, at }
  }

  /** Moves what the journal has into the tables; while they do not take it, it stays where it is and is tried again. */
  async #store (): Promise<void> {
    if (this.#unstored.isEmpty) return
    await this.#commits.push({ lineBytes: 0, prepare: () => {} }).catch(() => {})
  }

  async #flush (group: Pending<Write, unknown>[]): Promise<void> {
    try {
      await this.#commit(group, true)
    } catch (error) {
      const growing = group.filter(({ op }) => op.lineBytes > 0)
      const moving = !this.#unstored.isEmpty
      if (moving) this.#storeWithin(STORE_RETRY_MS)
      if (growing.length === group.length || (growing.length === 0 && !moving)) throw error
      // What makes room must not fail together with what needs it.
      for (const { reject } of growing) reject(error as Error)
      await this.#commit(group.filter(({ op }) => op.lineBytes === 0), false)
    }
  }

  /** @param moving whether what the journal has goes with it, as what came before */
  async #commit (group: Pending<Write, unknown>[], moving: boolean): Promise<void> {
    const now = Date.now()
    const changes = new WriteBatch(this.#tables, this.#options.limits, this.#counters, () => this.#nextSeq++, now)
    const moved = moving ? this.#moveJournaled(changes) : null
    const results = group.map(({ op }) => op.prepare(changes, now))
    this.#forgetEmpty(changes, now)
    try {
      await changes.commit()
    } catch (error) {
      if (moved !== null) this.#unstored.failed()
      throw error
    }
    this.#counters = changes.counters
    if (moved !== null) this.#journal.stored(moved)
    group.forEach(({ resolve }, i) => resolve(results[i]))
  }

  /** @returns the youngest frame that the tables then have; null when the journal has nothing for them */
  #moveJournaled (changes: WriteBatch): number | null {
    if (this.#unstored.isEmpty) return null
    const { queues, claims, frame } = this.#unstored.leave()
    for (const { kind, destination: name, chunks, appendedAt, urgent } of queues) {
      for (const { items } of chunks) changes.counters.accepted += items
      const destination = this.#scheduler.destination(kind, name)
      const entries = changes.putPacked(destination, chunks, appendedAt)
      changes.whenDone(() => this.#scheduler.appended(destination, entries, urgent, appendedAt))
    }
    changes.putClaims(claims)
    changes.putJournaled(frame)
    changes.whenDone(() => this.#unstored.stored())
    return frame
  }

  /** Keeps, as dead letters, what the journal has and nobody can read. */
  async #bury (frames: Frame[]): Promise<void> {
    const last = this.#unstored.isEmpty ? this.#journal.last : null
    await this.#write({
      lineBytes: 0,
      prepare: (changes, at) => {
        for (const { items, body } of frames) {
          changes.counters.accepted += items
          changes.counters.deadLettered += items
          changes.putLetter({ ...CORRUPT_FRAME, id: letterId(at, this.#nextLetter++), at, line: body.toString().replaceAll('\n', ' '), items })
        }
        if (last !== null) changes.putJournaled(last)
      }
    })
    if (last !== null) this.#journal.stored(last)
  }

  #forgetEmpty (changes: WriteBatch, now: number): void {
    const forgettable = this.#scheduler.forgettable(changes.touched, now).slice(0, MAX_FORGET)
    for (const destination of forgettable) changes.removeName(destination)
    changes.whenDone(() => this.#scheduler.forget(forgettable))
  }

  #prepareSettlement (changes: WriteBatch, now: number, held: HeldLease, settlement: Settlement, outcomes: Outcomes): void {
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

function sooner (one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.min(one, other)
}
