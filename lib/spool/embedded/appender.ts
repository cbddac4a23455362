import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monotonicNow, onMonotonicClock, unixNow } from '../../clock.js'
import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Kind } from '../../../schemas/kinds.js'
import { createAppendCommit, type SizedOp } from '../append-commit.js'
import type { BatchLimits } from '../batch-limits.js'
import { lineBytesOf } from '../entry-codec.js'
import type { GroupCommit, Pending } from '../group-commit.js'
import { KEY_TTL_MS, keyBytesOf } from '../key-limits.js'
import { parseQueueName } from '../queue-name.js'
import { SpoolFullError, type Append, type AppendOnceResult, type KeyedRequest } from '../spool.js'
import { AppendGroup, MAX_GROUP_BYTES, MAX_GROUP_OPS } from './append-group.js'
import type { Capacity } from './capacity.js'
import { fromFrame, toFrame, type FrameContent, type KeyedAnswer, type QueueEntries } from './frame.js'
import type { Frame, Journal } from './journal.js'
import type { MemTable } from './mem-table.js'
import { writeError, type Tables } from './tables.js'

/** Written and removed to see whether the disk takes it. */
const PROBE_FILE = 'probe'
const PROBE = '.'
const FILE_MODE = 0o600
/** Appends wait while more than this is on its way from the journal to the tables. */
const MAX_MEM_TABLE_BYTES = 32 * 2 ** 20

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

/** Bytes that count against the share of an application, whose name is empty when nobody knows it. */
interface SharedBytes {
  application: string
  bytes: number
}

/** Appends that are stored together, and the answer that is kept for the idempotency key of their request. */
interface Op extends SizedOp {
  appends: readonly Append[]
  answer: KeyedAnswer | null
  /** The appends of another process, as the body of a frame. */
  frame: { body: Buffer, content: FrameContent } | null
  /** The bytes of its lines and of its key, by application. */
  reserved: readonly SharedBytes[]
}

/** Writes appends to the journal; appends of one moment share a frame. */
export class Appender {
  readonly #options: AppenderOptions
  readonly #commits: GroupCommit<Op, void>
  /** The digests of requests that are under way, by their idempotency key. */
  readonly #underWay = new Map<string, string>()
  /** When the latest idempotency key expires. */
  #latestExpiry: UnixMs

  constructor (options: AppenderOptions) {
    this.#options = options
    this.#commits = createAppendCommit(group => this.#write(group), MAX_GROUP_OPS, MAX_GROUP_BYTES)
    const [latest] = [...options.tables.idempotencyExpiry.getKeys({ reverse: true, limit: 1 })]
    this.#latestExpiry = latest?.[0] ?? 0
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
  append (append: Append): Promise<void> {
    return this.#push([append], null)
  }

  /**
   * Appends the body of a frame that another process has made, all of it or nothing.
   * @throws SpoolFullError when it does not fit
   */
  async appendFrame (body: Buffer): Promise<void> {
    const content = fromFrame(body)
    const bytesOf = new Map<string, number>()
    for (const { queue, entries } of content.queues) {
      const { application } = parseQueueName(queue)
      const bytes = entries.reduce((sum, { lineBytes }) => sum + lineBytes, 0)
      bytesOf.set(application, (bytesOf.get(application) ?? 0) + bytes)
    }
    const reserved = [...bytesOf].map(([application, bytes]) => ({ application, bytes }))
    const lineBytes = reserved.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#reserve(reserved)
    await this.#commits.push({ appends: [], answer: null, frame: { body, content }, reserved, lineBytes })
  }

  /** @throws SpoolFullError when it does not fit */
  async appendOnce (appends: readonly Append[], request: KeyedRequest): Promise<AppendOnceResult> {
    const { application, key, digest, answer } = request
    const underWay = this.#underWay.get(key)
    if (underWay !== undefined) return { state: underWay === digest ? 'under-way' : 'reused' }
    const { memTable, tables } = this.#options
    const now = unixNow()
    const known = memTable.answer(key) ?? tables.answer(key, now)
    if (known !== undefined) return known[3] === digest ? { state: 'answered', answer: known[2] } : { state: 'reused' }
    this.#underWay.set(key, digest)
    const keyedAnswer: KeyedAnswer = [key, this.#nextExpiry(now), answer, digest, application]
    try {
      await this.#push(appends, keyedAnswer)
    } catch (error) {
      this.#underWay.delete(key)
      throw error
    }
    return { state: 'stored', finish: other => this.#finish(keyedAnswer, other) }
  }

  /** Later than that of every key before, as the keys that expire first are the first to be forgotten. */
  #nextExpiry (now: UnixMs): UnixMs {
    this.#latestExpiry = Math.max(now + KEY_TTL_MS, this.#latestExpiry + 1)
    return this.#latestExpiry
  }

  async #finish (kept: KeyedAnswer, answer = kept[2]): Promise<void> {
    const [key, expiresAt, , digest, application] = kept
    // An answer that cannot be replaced is not worth a failure: the first one is true, too.
    if (answer !== kept[2]) await this.#push([], [key, expiresAt, answer, digest, application]).catch(() => {})
    this.#underWay.delete(key)
  }

  async #push (appends: readonly Append[], answer: KeyedAnswer | null): Promise<void> {
    let lineBytes = answer === null ? 0 : keyBytesOf(answer[2])
    for (const { records } of appends) lineBytes += lineBytesOf(records)
    // All of one application.
    const reserved = [{ application: appends[0]?.application ?? '', bytes: lineBytes }]
    this.#reserve(reserved)
    await this.#commits.push({ appends, answer, frame: null, reserved, lineBytes })
  }

  /** @throws SpoolFullError when the bytes of an application do not fit; then none are reserved */
  #reserve (all: readonly SharedBytes[]): void {
    const { capacity } = this.#options
    for (let i = 0; i < all.length; i++) {
      try {
        capacity.reserve(all[i]!.bytes, all[i]!.application)
      } catch (error) {
        this.#release(all.slice(0, i))
        throw error
      }
    }
  }

  #release (all: readonly SharedBytes[]): void {
    for (const { application, bytes } of all) this.#options.capacity.release(bytes, application)
  }

  /** @throws SpoolFullError, SpoolUnavailableError as `append` does */
  async probe (): Promise<void> {
    const { capacity, dataDir } = this.#options
    capacity.reserve(PROBE.length)
    capacity.release(PROBE.length)
    const path = join(dataDir, PROBE_FILE)
    try {
      await writeFile(path, PROBE, { mode: FILE_MODE })
      await rm(path, { force: true })
    } catch (error) {
      throw writeError(dataDir, error as Error)
    }
  }

  idle (): Promise<void> {
    return this.#commits.idle()
  }

  async #write (group: Pending<Op, void>[]): Promise<void> {
    try {
      await this.#writeFrame(group.map(({ op }) => op))
    } finally {
      // At once for the whole group: from here on the MemTable counts these bytes.
      for (const { op } of group) this.#release(op.reserved)
    }
    for (const { resolve } of group) resolve()
  }

  async #writeFrame (ops: Op[]): Promise<void> {
    const { dataDir, limits, journal, onJournaled } = this.#options
    const now = unixNow()
    const appendedAt = monotonicNow()
    const group = new AppendGroup()
    const answers: KeyedAnswer[] = []
    const frames: Array<{ body: Buffer, content: FrameContent }> = []
    for (const { appends, answer, frame } of ops) {
      for (const append of appends) group.add(append)
      if (answer !== null) answers.push(answer)
      if (frame !== null) frames.push(frame)
    }
    await this.#makeRoom()
    const { body, queues } = joinFrames(toFrame(group.all, answers, limits, now), frames)
    if (body.length === 0) return
    let items = 0
    for (const { entries } of queues) for (const entry of entries) items += entry.items
    const frame = await journal.append(body, items).catch((error: Error) => { throw writeError(dataDir, error) })
    onJournaled(frame, { queues, answers }, appendedAt)
  }

  /** @throws SpoolFullError when the tables have not taken enough of the MemTable */
  async #makeRoom (): Promise<void> {
    const { dataDir, memTable, flushMemTable } = this.#options
    if (memTable.lineBytes <= MAX_MEM_TABLE_BYTES) return
    await flushMemTable()
    if (memTable.lineBytes > MAX_MEM_TABLE_BYTES) {
      throw new SpoolFullError(`the disk under ${dataDir} does not take the items that wait for it`)
    }
  }
}

/** One frame of several: the body of each is complete lines and values, and holds queues of its own. */
function joinFrames (
  own: { body: Buffer, queues: QueueEntries[] }, others: Array<{ body: Buffer, content: FrameContent }>
): { body: Buffer, queues: QueueEntries[] } {
  if (others.length === 0) return own
  const bodies = [own.body, ...others.map(({ body }) => body)].filter(({ length }) => length > 0)
  return {
    body: bodies.length === 1 ? bodies[0]! : Buffer.concat(bodies),
    queues: [...own.queues, ...others.flatMap(({ content }) => content.queues)]
  }
}
