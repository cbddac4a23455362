import { unixNow } from '../../clock.js'
import type { Channel, RemoteError } from '../../processes/channel.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { Ledger } from '../../../schemas/reasons.js'
import { createAppendCommit, type SizedOp } from '../append-commit.js'
import type { BatchLimits } from '../batch-limits.js'
import { lineBytesOf } from '../entry-codec.js'
import { AppendGroup, MAX_GROUP_BYTES, MAX_GROUP_OPS } from '../embedded/append-group.js'
import { toFrame } from '../embedded/frame.js'
import type { GroupCommit, Pending } from '../group-commit.js'
import {
  ShareFullError, SpoolFullError, SpoolUnavailableError,
  type Append, type AppendOnceResult, type DeadLetters, type Depth, type KeyedAppend, type KeyedRequest, type Spool,
  type TakeResult, type UnreadCount
} from '../spool.js'
import { DEAD_LETTER_CALLS, SPOOL_CALLS, type KeyedResult, type SpoolCalls } from './calls.js'

interface Op extends SizedOp {
  append: Append
}

/**
 * The spool of another process, for a process that takes requests and forwards nothing. The appends of one moment go to
 * it together, as the body of a frame, which it writes as it comes.
 */
export class RemoteSpool implements Spool {
  readonly deadLetters: DeadLetters
  readonly #calls: SpoolCalls
  readonly #limits: Record<Kind, BatchLimits>
  readonly #commits: GroupCommit<Op, void>
  #closed: Promise<void> | null = null

  constructor (channel: Channel, limits: Record<Kind, BatchLimits>) {
    this.#calls = channel.remote<SpoolCalls, typeof SPOOL_CALLS[number]>('spool', SPOOL_CALLS, toSpoolError)
    this.deadLetters = channel.remote<DeadLetters, typeof DEAD_LETTER_CALLS[number]>(
      'deadLetters', DEAD_LETTER_CALLS, toSpoolError
    )
    this.#limits = limits
    this.#commits = createAppendCommit(group => this.#commit(group), MAX_GROUP_OPS, MAX_GROUP_BYTES)
  }

  async append (append: Append): Promise<void> {
    this.#assertOpen()
    if (append.records.length > 0) await this.#commits.push({ append, lineBytes: lineBytesOf(append.records) })
  }

  async appendOnce (appends: readonly KeyedAppend[], request: KeyedRequest): Promise<AppendOnceResult> {
    this.#assertOpen()
    const result: KeyedResult = await this.#calls.appendOnce(appends, request)
    if (result.state !== 'stored') return result
    // An answer that cannot be replaced is not worth a failure: the first one is true, too.
    return { state: 'stored', finish: answer => this.#calls.finish(request.key, answer).catch(() => {}) }
  }

  async take (): Promise<TakeResult> { return leasesNothing() }
  async extend (): Promise<boolean> { return leasesNothing() }
  async settle (): Promise<boolean> { return leasesNothing() }
  async release (): Promise<void> { leasesNothing() }

  async depth (kind?: Kind): Promise<Depth> {
    return await this.#calls.depth(kind)
  }

  async ledger (): Promise<Ledger> {
    return await this.#calls.ledger()
  }

  async keyBytes (): Promise<number> {
    return await this.#calls.keyBytes()
  }

  /** Only a process that forwards takes what is due. */
  onDue (): () => void {
    return () => {}
  }

  async unread (): Promise<UnreadCount[]> {
    return await this.#calls.unread()
  }

  async probe (): Promise<string[]> {
    this.#assertOpen()
    return await this.#calls.probe()
  }

  /** The store is closed by its own process. */
  close (): Promise<void> {
    this.#closed ??= this.#commits.idle()
    return this.#closed
  }

  #assertOpen (): void {
    if (this.#closed !== null) throw new SpoolUnavailableError('the spool is closed')
  }

  async #commit (group: Pending<Op, void>[]): Promise<void> {
    try {
      await this.#appendGroup(group.map(({ op }) => op))
      for (const { resolve } of group) resolve()
    } catch (error) {
      if (group.length === 1 || !(error instanceof SpoolFullError)) throw error
      // Some of them may fit.
      await Promise.all(group.map(({ op, resolve, reject }) => this.#appendGroup([op]).then(resolve, reject)))
    }
  }

  async #appendGroup (ops: Op[]): Promise<void> {
    const group = new AppendGroup()
    for (const { append } of ops) group.add(append)
    await this.#calls.appendFrame(toFrame(group.all, [], this.#limits, unixNow()).body)
  }
}

function leasesNothing (): never {
  throw new Error('records are leased by the process that owns the spool')
}

function toSpoolError ({ name, message, application }: RemoteError): Error {
  if (name === ShareFullError.name && application !== undefined) return new ShareFullError(application)
  return name === SpoolFullError.name ? new SpoolFullError(message) : new SpoolUnavailableError(message)
}
