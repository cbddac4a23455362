import { EventEmitter } from 'node:events'
import { monotonicNow, onMonotonicClock, unixNow } from '../../clock.js'
import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { Ledger } from '../../../schemas/reasons.js'
import { createDeadLetters } from '../dead-letters.js'
import { unpackEntry } from '../entry-codec.js'
import { keyLimits } from '../key-limits.js'
import { createLedger } from '../ledger.js'
import { retryStore } from '../retry.js'
import { countOutcomes, type Outcomes } from '../settlement.js'
import {
  SpoolUnavailableError, type Append, type AppendOnceResult, type DeadLetters, type Depth, type KeyedAppend,
  type KeyedRequest, type Lease, type Settlement, type Spool, type SpoolOptions, type SpoolSync, type TakeOptions,
  type TakeResult, type UnreadCount
} from '../spool.js'
import { byVersion, parseQueueName, queueName } from '../queue-name.js'
import { Appender } from './appender.js'
import { Capacity } from './capacity.js'
import { createDeadLetterStore, deadLetterIds } from './dead-letter-store.js'
import type { HeldLease } from './destination.js'
import { keepPrivate, nameDamage, noteOpening, prepareDirectory } from './directory.js'
import { Disk } from './disk.js'
import type { FrameContent } from './frame.js'
import { Journal, type Frame } from './journal.js'
import { lockDirectory } from './lock.js'
import { MemTable } from './mem-table.js'
import { Scheduler, type EntryReader } from './scheduler.js'
import { TableWriter } from './table-writer.js'
import { Tables } from './tables.js'
import { readLastFrame, type WriteBatch } from './write-batch.js'

/** The MemTable is flushed after this time at the latest: large portions take less of the disk and of memory. */
const FLUSH_MS = 500
/** Or at once when it holds this much, as no request is answered while a portion is merged and compressed. */
const FLUSH_BYTES = 512 * 1_024

export interface EmbeddedSpoolOptions extends SpoolOptions {
  /** Created when missing; one process at a time. */
  dataDir: string
  /**
   * `commit`: appends survive the end of the process, and a power cut takes the last tenth of a second at most.
   * `always`: append waits until the disk has confirmed.
   */
  sync: SpoolSync
  /** Bytes left on the disk of a directory; asks the system unless given. */
  diskFree?: (directory: string) => number
}

/** A spool that other processes append to, through this one. */
export interface FrameSpool extends Spool {
  /**
   * Appends the body of a frame that another process has made, all of it or nothing; else as `append`.
   * @throws SpoolFullError, SpoolUnavailableError
   */
  appendFrame (body: Buffer): Promise<void>
}

/** The kind and the destination of the records are lost with the frame. */
const CORRUPT_FRAME = {
  kind: 'logs',
  destination: 'journal',
  reason: 'corrupt',
  message: 'the journal does not hold the items as they were written',
  bytes: 0
} as const

/**
 * Opens the spool on the local disk, for one process.
 * @throws SpoolConfigurationError when the directory cannot be used, or another process uses it
 */
export async function openEmbeddedSpool (options: EmbeddedSpoolOptions): Promise<FrameSpool> {
  prepareDirectory(options.dataDir)
  const unlock = await lockDirectory(options.dataDir)
  const opened = noteOpening(options.dataDir)
  try {
    const tables = new Tables(options.dataDir, options.maxBytes + options.deadLetterMaxBytes, options.sync)
    keepPrivate(options.dataDir)
    const spool = new EmbeddedSpool(options, tables, unlock)
    await spool.recover()
    return spool
  } catch (error) {
    await unlock()
    throw nameDamage(options.dataDir, error)
  } finally {
    opened()
  }
}

/**
 * Appends are durable once the journal has them, which takes one write; from there they go into the tables in larger
 * portions, before their destination is due.
 */
class EmbeddedSpool implements FrameSpool {
  readonly deadLetters: DeadLetters
  readonly #options: EmbeddedSpoolOptions
  readonly #tables: Tables
  readonly #unlock: () => Promise<void>
  readonly #scheduler: Scheduler
  readonly #journal: Journal
  readonly #memTable: MemTable
  readonly #appender: Appender
  readonly #writer: TableWriter
  readonly #entryReader: EntryReader
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #closing = new AbortController()
  #closed: Promise<void> | null = null
  readonly #nextDeadLetterId: (at: UnixMs) => string

  constructor (options: EmbeddedSpoolOptions, tables: Tables, unlock: () => Promise<void>) {
    const { dataDir, lingerMs, limits, maxBytes, isShared = () => false } = options
    this.#options = options
    this.#tables = tables
    this.#unlock = unlock
    this.#nextDeadLetterId = deadLetterIds(tables)
    const scheduler = new Scheduler({
      ...options,
      now: monotonicNow,
      onDue: kind => this.#events.emit('due', kind)
    })
    this.#scheduler = scheduler
    const firstSeq = this.#restore() + 1
    const journal = new Journal(dataDir, readLastFrame(tables), options.sync === 'always')
    this.#journal = journal
    const memTable = new MemTable(lingerMs, limits)
    this.#memTable = memTable
    const capacity = new Capacity({
      maxBytes,
      disk: new Disk(dataDir, options.diskFree),
      isShared,
      storedBytes: () => scheduler.lineBytes + memTable.lineBytes + this.#keyBytes(),
      heldBytes: application => scheduler.lineBytesOf(application) + memTable.lineBytesOf(application),
      deadLetterBytes: () => this.#writer.counters.letterBytes
    })
    const writer = new TableWriter({
      tables,
      limits,
      keyLimits: keyLimits(maxBytes),
      journal,
      memTable,
      scheduler,
      capacity,
      firstSeq
    })
    this.#writer = writer
    this.#appender = new Appender({
      dataDir,
      limits,
      journal,
      memTable,
      tables,
      capacity,
      flushMemTable: () => writer.flushMemTable(),
      onJournaled: (frame, content, appendedAt) => this.#journaled(frame, content, appendedAt)
    })
    this.#entryReader = {
      read: ({ id }, entry) => tables.readEntry(id, entry),
      readBehindCursor: ({ id, cursor, lastSeq }) => tables.readEntries(id, cursor, lastSeq)
    }
    this.deadLetters = createDeadLetters(createDeadLetterStore({
      tables,
      counters: () => writer.counters,
      write: (prepare, lineBytes) => {
        this.#assertOpen()
        return writer.write({ prepare, lineBytes })
      },
      append: (batch, { kind, destination, line, items, bytes, application = '' }, now) => {
        const queue = scheduler.destination(kind, queueName(destination, application))
        const entries = batch.putRecords(queue, [{ line, items, bytes }], now)
        const appendedAt = monotonicNow()
        batch.afterCommit(() => scheduler.appended(queue, entries, false, appendedAt))
      }
    }), options)
  }

  /** Takes in the frames that earlier processes left in the journal. */
  async recover (): Promise<void> {
    const corrupt = this.#appender.recover()
    await this.#writer.flushMemTable()
    if (corrupt.length > 0) await this.#deadLetter(corrupt)
  }

  async append (append: Append): Promise<void> {
    this.#assertOpen()
    await this.#appender.append(append)
  }

  async appendFrame (body: Buffer): Promise<void> {
    this.#assertOpen()
    await this.#appender.appendFrame(body)
  }

  async appendOnce (appends: readonly KeyedAppend[], request: KeyedRequest): Promise<AppendOnceResult> {
    this.#assertOpen()
    return await this.#appender.appendOnce(appends, request)
  }

  async take (kind: Kind, { flush = false }: TakeOptions = {}): Promise<TakeResult> {
    this.#assertOpen()
    if (flush || this.#journaledDueMs(kind) === 0 || this.#couldTakeMore(kind)) await this.#writer.flushMemTable()
    if (flush) this.#scheduler.flush(kind)
    const heldLease = this.#scheduler.take(kind, this.#entryReader)
    if (heldLease === null) {
      return { lease: null, nextDueMs: sooner(this.#scheduler.nextDueMs(kind), this.#journaledDueMs(kind)) }
    }
    const { lease: { id, destination: { name, unreadVersion, attempt, application } }, picked } = heldLease
    const records = picked.flatMap(({ entry, value }) => unpackEntry(value, entry))
    const { destination } = parseQueueName(name)
    const lease: Lease = { id, kind, destination, records, unread: unreadVersion !== null, attempt }
    if (application !== '') lease.application = application
    return { lease }
  }

  #journaledDueMs (kind: Kind): number | null {
    return this.#memTable.nextDueMs(kind, monotonicNow())
  }

  /** Whether the MemTable has more for the queue that is due without a full batch, which can share its call. */
  #couldTakeMore (kind: Kind): boolean {
    const queue = this.#scheduler.lingered(kind)
    return queue !== null && this.#memTable.has(kind, queue)
  }

  async extend (lease: Lease): Promise<boolean> {
    const held = this.#scheduler.heldLease(lease.id)
    if (held === undefined) return false
    this.#scheduler.extend(held)
    return true
  }

  async settle (lease: Lease, settlement: Settlement): Promise<boolean> {
    const outcomes = countOutcomes(lease, settlement)
    const held = this.#scheduler.heldLease(lease.id)
    if (held === undefined || held.settling) return false
    held.settling = true
    try {
      await retryStore(async () => {
        this.#assertOpen()
        await this.#writer.write({
          lineBytes: 0,
          prepare: (batch, now) => this.#prepareSettlement(batch, now, held, settlement, outcomes)
        })
      }, this.#options.leaseMs * 2, this.#closing.signal)
      return true
    } catch (error) {
      this.#scheduler.unsettled(held)
      throw error
    }
  }

  async release (lease: Lease, delayMs: number): Promise<void> {
    const held = this.#scheduler.heldLease(lease.id)
    if (held !== undefined && !held.settling) this.#scheduler.release(held, delayMs)
  }

  async depth (kind?: Kind): Promise<Depth> {
    this.#assertOpen()
    const now = unixNow()
    const stored = this.#scheduler.depth(kind, now, ({ id, cursor, lastSeq }) =>
      this.#tables.firstEntry(id, cursor, lastSeq))
    const journaled = this.#memTable.depth(kind, now)
    return {
      records: stored.records + journaled.records,
      items: stored.items + journaled.items,
      bytes: stored.bytes + journaled.bytes,
      oldestAgeMs: Math.max(stored.oldestAgeMs, journaled.oldestAgeMs)
    }
  }

  async ledger (): Promise<Ledger> {
    const { counters } = this.#writer
    const { items } = this.#memTable
    return createLedger({ ...counters, accepted: counters.accepted + items }, this.#scheduler.items + items)
  }

  async keyBytes (): Promise<number> {
    return this.#keyBytes()
  }

  #keyBytes (): number {
    return this.#writer.counters.keys.bytes + this.#memTable.keyBytes
  }

  onDue (listener: (kind: Kind) => void): () => void {
    this.#events.on('due', listener)
    return () => { this.#events.off('due', listener) }
  }

  async unread (): Promise<UnreadCount[]> {
    this.#assertOpen()
    return this.#scheduler.unread()
  }

  async probe (): Promise<string[]> {
    this.#assertOpen()
    await this.#appender.probe()
    return []
  }

  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.#closing.abort()
    await this.#appender.idle()
    await this.#writer.close()
    const lastFrame = readLastFrame(this.#tables)
    await this.#tables.close()
    await this.#journal.close(lastFrame)
    await this.#unlock()
  }

  #assertOpen (): void {
    if (this.#closed !== null) throw new SpoolUnavailableError('the spool is closed')
  }

  /** Takes in the entries of the tables. @returns the sequence of the youngest entry, 0 when there is none */
  #restore (): number {
    let lastSeq = 0
    for (const { key, value } of this.#tables.names.getRange()) {
      const [kind, name] = JSON.parse(value) as [Kind, string]
      this.#scheduler.load(key, kind, name)
    }
    for (const { destinationId, entry } of this.#tables.scanEntries()) {
      this.#scheduler.restore(destinationId, entry, onMonotonicClock(entry.appendedAt))
      lastSeq = Math.max(lastSeq, entry.seq)
    }
    this.#scheduler.restored()
    return lastSeq
  }

  /** The journal has this content, and the tables are to have it. */
  #journaled (frame: number, content: FrameContent, appendedAt: MonotonicMs): void {
    const ready = this.#memTable.add(frame, content, appendedAt, (kind, queue) =>
      this.#scheduler.waiting(kind, queue))
    for (const kind of ready) this.#events.emit('due', kind)
    const urgent = content.queues.some(queue => queue.urgent)
    if (urgent || this.#memTable.lineBytes + this.#memTable.keyBytes >= FLUSH_BYTES) this.#writer.flushMemTable()
    else this.#writer.flushWithin(Math.min(FLUSH_MS, this.#options.lingerMs / 2))
  }

  /** Keeps frames that cannot be read as dead letters. */
  async #deadLetter (frames: Frame[]): Promise<void> {
    const last = this.#memTable.isEmpty ? this.#journal.last : null
    await this.#writer.write({
      lineBytes: 0,
      prepare: (batch, at) => {
        for (const { items, body } of frames) {
          batch.counters.accepted += items
          batch.counters.deadLettered += items
          const line = body.toString().replaceAll('\n', ' ')
          batch.putDeadLetter({ ...CORRUPT_FRAME, id: this.#nextDeadLetterId(at), at, line, items })
        }
        if (last !== null) batch.putLastFrame(last)
      }
    })
    if (last !== null) this.#journal.stored(last)
  }

  #prepareSettlement (
    batch: WriteBatch, now: UnixMs, held: HeldLease, settlement: Settlement, outcomes: Outcomes
  ): void {
    const { destination, entries } = held
    const { counters } = batch
    counters.delivered += outcomes.delivered
    counters.deadLettered += outcomes.deadLettered
    for (const [reason, count] of Object.entries(settlement.rejected ?? {})) {
      counters.rejected[reason] = (counters.rejected[reason] ?? 0) + count
    }
    const { kind, application } = destination
    const owner = application === '' ? {} : { application }
    const { destination: name } = parseQueueName(destination.name)
    for (const deadLetter of settlement.deadLetters ?? []) {
      const id = this.#nextDeadLetterId(now)
      batch.putDeadLetter({ ...deadLetter, ...owner, id, kind, destination: name, at: now })
    }
    const remainder = batch.replaceEntries(destination, entries, settlement.remainder ?? [])
    const progress = outcomes.delivered + outcomes.rejected + outcomes.deadLettered > 0
    batch.afterCommit(() => this.#scheduler.settled(held, remainder, progress, settlement.delayMs))
    const appendedAt = Math.min(...entries.map(entry => entry.appendedAt))
    for (const [version, records] of byVersion(settlement.unread ?? [])) {
      const queue = this.#scheduler.destination(kind, queueName(name, application, version))
      const setAside = batch.putRecords(queue, records, appendedAt)
      batch.afterCommit(() => this.#scheduler.setAside(queue, setAside, settlement.unreadDelayMs ?? 0))
    }
  }
}

function sooner (one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.min(one, other)
}
