import { createHash } from 'node:crypto'
import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import { createAppendCommit, type AppendCommit, type PendingAppend } from '../append-commit.js'
import type { BatchLimits } from '../batch-limits.js'
import { lineBytesOf } from '../entry-codec.js'
import { SpoolFullError, type Append, type AppendResult } from '../spool.js'
import { AppendGroup } from './append-group.js'
import type { Capacity } from './capacity.js'
import { fromFrame, toFrame, type FrameContent, type KeyedAnswer } from './frame.js'
import type { Frame, Journal } from './journal.js'
import type { MemTable } from './mem-table.js'
import { onMonotonicClock } from './monotonic.js'
import { writeError, type Tables } from './tables.js'

const MAX_GROUP_OPS = 2_000
const MAX_GROUP_BYTES = 8 * 2 ** 20
/** Appends wait while more than this is on its way from the journal to the tables. */
const MAX_MEM_TABLE_BYTES = 32 * 2 ** 20
const IDEMPOTENCY_TTL_MS = 24 * 3_600_000

export interface AppenderOptions {
  dataDir: string
  limits: Record<Kind, BatchLimits>
  journal: Journal
  memTable: MemTable
  tables: Tables
  capacity: Capacity
  /** Moves the content of the MemTable into the tables; never rejects. */
  flushMemTable: () => Promise<void>
  /** The journal has this content. */
  onJournaled: (frame: number, content: FrameContent, appendedAt: MonotonicMs) => void
}

const STORED: AppendResult = { stored: true }

/** Writes appends to the journal, those of one moment in one frame. */
export class Appender {
  readonly #options: AppenderOptions
  readonly #commits: AppendCommit

  constructor (options: AppenderOptions) {
    this.#options = options
    this.#commits = createAppendCommit(group => this.#write(group), MAX_GROUP_OPS, MAX_GROUP_BYTES)
  }

  /** Takes in the frames that earlier processes left in the journal. @returns the frames that cannot be read */
  recover (): Frame[] {
    const { journal, onJournaled } = this.#options
    const corrupt: Frame[] = []
    for (const frame of journal.recover()) {
      if (!frame.intact) {
        corrupt.push(frame)
        continue
      }
      const content = fromFrame(frame.body)
      const oldest = Math.min(...content.queues.map(({ appendedAt }) => appendedAt))
      onJournaled(frame.number, content, onMonotonicClock(oldest))
    }
    return corrupt
  }

  /** @throws SpoolFullError when it does not fit */
  async append (append: Append): Promise<AppendResult> {
    const lineBytes = lineBytesOf(append.records)
    this.#options.capacity.reserve(lineBytes)
    return await this.#commits.push({ append, lineBytes })
  }

  idle (): Promise<void> {
    return this.#commits.idle()
  }

  async #write (group: PendingAppend[]): Promise<void> {
    const { capacity } = this.#options
    let results: AppendResult[]
    try {
      results = await this.#writeFrame(group.map(({ op }) => op.append))
    } finally {
      // At once for the whole group: from here on the MemTable counts these bytes.
      for (const { op } of group) capacity.release(op.lineBytes)
    }
    group.forEach(({ resolve }, i) => resolve(results[i]!))
  }

  async #writeFrame (appends: Append[]): Promise<AppendResult[]> {
    const { dataDir, limits, journal, onJournaled } = this.#options
    const now = Date.now()
    const appendedAt = performance.now()
    const group = new AppendGroup()
    const answers = new Map<string, KeyedAnswer>()
    let items = 0
    const results = appends.map((append): AppendResult => {
      const answer = append.idempotency === undefined ? undefined : this.#answer(append.idempotency, answers, now)
      if (answer !== undefined) return { stored: false, answer }
      if (append.records.length > 0) group.add(append)
      for (const record of append.records) items += record.items
      return STORED
    })
    await this.#makeRoom()
    if (items === 0 && answers.size === 0) return results
    const newAnswers = [...answers.values()]
    const { body, queues } = toFrame(group.all, newAnswers, limits, now)
    const frame = await journal.append(body, items).catch((error: Error) => { throw writeError(dataDir, error) })
    onJournaled(frame, { queues, answers: newAnswers }, appendedAt)
    return results
  }

  /** @throws SpoolFullError when the tables have not taken enough of the MemTable */
  async #makeRoom (): Promise<void> {
    const { dataDir, memTable, flushMemTable } = this.#options
    if (memTable.lineBytes <= MAX_MEM_TABLE_BYTES) return
    await flushMemTable()
    if (memTable.lineBytes > MAX_MEM_TABLE_BYTES) {
      throw new SpoolFullError(`the disk under ${dataDir} does not take what waits for it`)
    }
  }

  /** @returns the answer that the key got before; undefined for a new key, which gets this answer with the group */
  #answer (
    { key, answer }: NonNullable<Append['idempotency']>, answers: Map<string, KeyedAnswer>, now: UnixMs
  ): string | undefined {
    const { memTable, tables } = this.#options
    const hash = createHash('sha256').update(key).digest('base64url')
    const known = answers.get(hash)?.[2] ?? memTable.answer(hash) ?? tables.answer(hash, now)
    if (known === undefined) answers.set(hash, [hash, now + IDEMPOTENCY_TTL_MS, answer])
    return known
  }
}
