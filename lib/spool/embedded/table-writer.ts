import { monotonicNow, unixNow } from '../../clock.js'
import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { BatchLimits } from '../batch-limits.js'
import { GroupCommit, type Pending } from '../group-commit.js'
import type { KeyLimits } from '../key-limits.js'
import type { Capacity } from './capacity.js'
import type { Journal } from './journal.js'
import type { MemTable } from './mem-table.js'
import type { Scheduler } from './scheduler.js'
import type { Tables } from './tables.js'
import { WriteBatch, readCounters, type Counters } from './write-batch.js'

const MAX_BATCH_OPS = 2_000
const MAX_BATCH_BYTES = 8 * 2 ** 20
/** Destinations that one batch forgets at most. */
const MAX_FORGET = 100
/** Until a flush of the MemTable that failed is tried again. */
const RETRY_MS = 1_000

/** Writes that become durable with the next batch. */
export interface Write<T = unknown> {
  /** Bytes of lines that it adds; zero for a write that makes room. */
  lineBytes: number
  prepare: (batch: WriteBatch, now: UnixMs) => T
}

export interface TableWriterOptions {
  tables: Tables
  limits: Record<Kind, BatchLimits>
  keyLimits: KeyLimits
  journal: Journal
  memTable: MemTable
  scheduler: Scheduler
  capacity: Capacity
  /** Of the next entry. */
  firstSeq: number
}

/** Writes to the tables, the writes of one moment in one batch; every batch takes the content of the MemTable along. */
export class TableWriter {
  readonly #options: TableWriterOptions
  readonly #commits: GroupCommit<Write, unknown>
  #counters: Counters
  #nextSeq: number
  /** The next flush of the MemTable; null when none is planned. */
  #planned: { timer: NodeJS.Timeout, at: MonotonicMs } | null = null

  constructor (options: TableWriterOptions) {
    this.#options = options
    this.#counters = readCounters(options.tables)
    this.#nextSeq = options.firstSeq
    this.#commits = new GroupCommit(group => this.#commitGroup(group), {
      maxOps: MAX_BATCH_OPS, maxWeight: MAX_BATCH_BYTES, weigh: write => write.lineBytes
    })
  }

  get counters (): Counters {
    return this.#counters
  }

  /** @throws SpoolFullError when it does not fit, or when the disk is full */
  async write<T> (write: Write<T>): Promise<T> {
    const { capacity } = this.#options
    capacity.reserve(write.lineBytes)
    try {
      return await this.#commits.push(write) as T
    } finally {
      capacity.release(write.lineBytes)
    }
  }

  /** Moves the content of the MemTable into the tables, or tries it again later. Never rejects. */
  async flushMemTable (): Promise<void> {
    if (this.#options.memTable.isEmpty) return
    await this.#commits.push({ lineBytes: 0, prepare: () => {} }).catch(() => {})
  }

  /** Flushes the MemTable after this time at the latest. */
  flushWithin (ms: number): void {
    const at = monotonicNow() + ms
    if (this.#planned !== null && this.#planned.at <= at) return
    clearTimeout(this.#planned?.timer)
    const timer = setTimeout(() => {
      this.#planned = null
      this.flushMemTable()
    }, ms).unref()
    this.#planned = { timer, at }
  }

  /** Flushes the MemTable, and ends when all writes are done. */
  async close (): Promise<void> {
    await this.flushMemTable()
    await this.#commits.idle()
    clearTimeout(this.#planned?.timer)
  }

  async #commitGroup (group: Pending<Write, unknown>[]): Promise<void> {
    const { memTable } = this.#options
    try {
      await this.#commit(group, true)
    } catch (error) {
      const growing = group.filter(({ op }) => op.lineBytes > 0)
      const flushing = !memTable.isEmpty
      if (flushing) this.flushWithin(RETRY_MS)
      if (growing.length === group.length || (growing.length === 0 && !flushing)) throw error
      // Writes that make room must not fail together with writes that need it.
      for (const { reject } of growing) reject(error as Error)
      await this.#commit(group.filter(({ op }) => op.lineBytes === 0), false)
    }
  }

  /** @param flushing whether the content of the MemTable goes along, in front of the group */
  async #commit (group: Pending<Write, unknown>[], flushing: boolean): Promise<void> {
    const { tables, limits, keyLimits, journal, memTable } = this.#options
    const now = unixNow()
    const batch = new WriteBatch(tables, limits, keyLimits, this.#counters, () => this.#nextSeq++, now)
    const frame = flushing ? this.#putMemTable(batch) : null
    const results = group.map(({ op }) => op.prepare(batch, now))
    this.#forgetEmpty(batch)
    try {
      await batch.commit()
    } catch (error) {
      if (frame !== null) memTable.flushFailed()
      throw error
    }
    this.#counters = batch.counters
    if (frame !== null) journal.stored(frame)
    group.forEach(({ resolve }, i) => resolve(results[i]))
  }

  /** @returns the youngest frame whose content the batch takes along; null when the MemTable is empty */
  #putMemTable (batch: WriteBatch): number | null {
    const { memTable, scheduler } = this.#options
    if (memTable.isEmpty) return null
    const { queues, answers, frame } = memTable.beginFlush()
    for (const { kind, queue, entries, appendedAt, since, urgent } of queues) {
      for (const { items } of entries) batch.counters.accepted += items
      const destination = scheduler.destination(kind, queue)
      const stored = batch.putEncoded(destination, entries, appendedAt)
      batch.afterCommit(() => scheduler.appended(destination, stored, urgent, since))
    }
    batch.putAnswers(answers)
    batch.putLastFrame(frame)
    batch.afterCommit(() => memTable.flushed())
    return frame
  }

  #forgetEmpty (batch: WriteBatch): void {
    const { scheduler } = this.#options
    const forgettable = scheduler.forgettable(batch.touched).slice(0, MAX_FORGET)
    for (const destination of forgettable) batch.removeName(destination)
    batch.afterCommit(() => scheduler.forget(forgettable))
  }
}
