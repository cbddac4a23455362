import { ALL_OUT_OF_TIME, OVERLOADED, SPOOL_FULL, SPOOL_UNAVAILABLE, type Attempt, type SentRequest } from './load.js'
import type { ShardMap } from './replicated/shard-map.js'
import type { Takeover } from './replicated/takeovers.js'
import { touches, type FaultWindow } from './timeline.js'
import type { Call } from './witness.js'

/** An answer that CloudWatch has given may still be on its way to the forwarder for this long. */
const TRANSIT_MS = 250
/**
 * A call that was held back on the way arrives within this time after the way is free again; and a process that was
 * stopped ends the call that it had begun, when other processes have long taken its lease over.
 */
const LATE_MS = 1_000
/** From the last answer to a delivery until the spool has stored how it ended, when nothing stands in the way. */
const SETTLE_MS = 1_500
/**
 * Two calls of one forwarder to one destination with less between them may be of one delivery, which settles after the
 * last. While the way to CloudWatch is disturbed, a call of it may be on the way unseen.
 */
const CHAIN_MS = 1_000
/** The longest that a process takes to connect to its store again when the store is back. */
const RECONNECT_MS = 3_000
/** The longest that clients take to reach a web process again. */
const REQUEST_GRACE_MS = 3_000

/** What a store with replicas may have lost. */
export interface Losses {
  takeovers: readonly Takeover[]
  /** Null where one master has all. */
  shards: ShardMap | null
  /** Whether a replica confirms what is accepted (SPOOL_SYNC=always). */
  isConfirmed: boolean
}

/**
 * When a call is the last that its items needed.
 *
 * A call is *closed* when it was taken, its answer reached its forwarder, and the spool could store that at once. The
 * items of a closed call must never be sent again. Any other call is *open*: its forwarder may not know, or may not
 * have been able to store, that CloudWatch has taken its items, so they are sent again, which is what «at least once»
 * means.
 *
 * A call that failed or got no answer is open by a fault at CloudWatch, on the way there, or of its process, that was
 * there during the call. A call that was taken is open by
 *  - a fault on the way to CloudWatch, or of its process, from the beginning of the call until its answer had arrived,
 *    up to LATE_MS before the beginning when something was held back, or
 *  - a fault of its process or of its store until the delivery was settled: SETTLE_MS after the last call of the same
 *    forwarder to the same destination that follows within CHAIN_MS each, later by as long as the store was away.
 *
 * A call that failed without any such fault is open by nothing: items that are sent again after it are not explained.
 */
export class Explainer {
  readonly #windows: readonly FaultWindow[]
  readonly #isFull: (start: number, end: number) => boolean
  readonly #losses: Losses
  /** Calls by forwarder and destination, in the order of their times. */
  readonly #chains = new Map<string, Call[]>()

  /**
   * @param isFull whether the spool held nearly all it may at any time from start to end, in Unix milliseconds
   * @param losses what a store with replicas may have lost
   */
  constructor (
    windows: readonly FaultWindow[], calls: readonly Call[], isFull: (start: number, end: number) => boolean,
    losses: Losses = { takeovers: [], shards: null, isConfirmed: false }
  ) {
    this.#windows = windows
    this.#isFull = isFull
    this.#losses = losses
    for (const call of [...calls].sort((a, b) => a.startedAt - b.startedAt)) {
      const chain = this.#chains.get(chainKey(call))
      if (chain === undefined) this.#chains.set(chainKey(call), [call])
      else chain.push(call)
    }
  }

  /** The fault that makes this call open, `unexplained` when it is open by nothing, null when it is closed. */
  openedBy (call: Call): FaultWindow | 'unexplained' | null {
    const { forwarder, startedAt, endedAt, outcome } = call
    const onTheWay = this.#windows.find(window => {
      const { kind, mode, effects } = window
      const link = kind.startsWith('worker-cloudwatch')
      return touches(window, startedAt, endedAt + TRANSIT_MS, link || mode === 'pause' ? LATE_MS : 0) &&
        (
          effects.processes?.includes(forwarder) === true ||
            (effects.answersOf?.includes(forwarder) === true && (link || outcome !== 'taken'))
        )
    })
    if (onTheWay !== undefined) return onTheWay
    if (outcome !== 'taken') return 'unexplained'
    return this.#find(endedAt, this.#settledAt(call), ({ effects }) =>
      effects.processes?.includes(forwarder) === true || effects.storeOf?.includes(forwarder) === true) ?? null
  }

  /** Whether an attempt that was not answered 201 failed for a fault. */
  explains ({ web, startedAt, endedAt, status, error }: Attempt): boolean {
    const found = (matches: (window: FaultWindow) => boolean): boolean => this.#windows.some(window =>
      touches(window, startedAt, endedAt, REQUEST_GRACE_MS) && matches(window))
    const touchesWeb = ({ effects }: FaultWindow): boolean =>
      [effects.processes, effects.requestsOf, effects.storeOf].some(names => names?.includes(web) === true)
    // A request with the same key is under way elsewhere, or its process has gone and still holds the key.
    if (status === 401 || status === 409) return true
    if (status === 0) return found(touchesWeb)
    if (ALL_OUT_OF_TIME.has(error)) return found(({ effects }) => effects.clockOf?.includes(web) === true)
    if (status !== 503) return false
    // The web process reports a late event loop, which a busy machine can cause, too.
    if (error === OVERLOADED) return true
    const storeAway = this.#windows.some(window => window.effects.storeOf?.includes(web) === true &&
      touches(window, startedAt, endedAt, RECONNECT_MS))
    // A web process that was stopped while it waited for the store gives up as soon as it goes on.
    if (error === SPOOL_UNAVAILABLE) {
      return storeAway || this.#windows.some(window => window.mode === 'pause' &&
        window.effects.processes?.includes(web) === true && touches(window, startedAt, endedAt))
    }
    // A web that was cut off from a full spool does not know that there is room again.
    return error === SPOOL_FULL &&
      (storeAway || found(({ effects }) =>
        effects.full === true) || this.#isFull(startedAt - REQUEST_GRACE_MS, endedAt + REQUEST_GRACE_MS))
  }

  /** Whether items may have a time that CloudWatch does not take: their gateway has dated them by a wrong clock. */
  explainsTime ({ sentAt, answeredAt, failures }: SentRequest): boolean {
    const endedAt = Math.max(answeredAt, ...failures.map(failure => failure.endedAt))
    return this.#find(
      sentAt, endedAt, ({ place, effects }) => place === 'web' && effects.clockOf !== undefined
    ) !== undefined
  }

  /**
   * Whether the records of a request may have been stored by a master alone that was replaced before its replica had
   * them. With SPOOL_SYNC=always nothing that was accepted may.
   */
  mayHaveLostRecords (request: SentRequest): boolean {
    if (this.#losses.isConfirmed && request.verdict === 'accepted') return false
    const until = request.answeredAt > 0 ? request.answeredAt : request.endedAt + LATE_MS
    return this.#isOvertaken(request.sentAt, until, this.#losses.shards?.slotOf(request))
  }

  /** Whether a master alone that was replaced may have known that the request with this key was stored. */
  mayHaveLostKey ({ key, sentAt, endedAt }: SentRequest): boolean {
    return key !== null && !this.#losses.isConfirmed && this.#isOvertaken(sentAt, endedAt)
  }

  #isOvertaken (start: number, end: number, slot?: number): boolean {
    return this.#losses.takeovers.some(({ receivedUntil, endedAt, slots }) => {
      const isOfNode = slots === null || slot === undefined ||
        slots.some(([first, last]) => slot >= first && slot <= last)
      return isOfNode && end >= receivedUntil && start <= endedAt
    })
  }

  /** Whether a process that could not start had a reason to. */
  explainsStart (name: string, startedAt: number, endedAt: number): boolean {
    return this.#find(startedAt - RECONNECT_MS, endedAt, ({ effects }) => effects.full === true ||
      effects.storeOf?.includes(name) === true) !== undefined
  }

  #find (start: number, end: number, matches: (window: FaultWindow) => boolean): FaultWindow | undefined {
    return this.#windows.find(window => touches(window, start, end) && matches(window))
  }

  #settledAt (call: Call): number {
    let settledAt = this.#endOfChain(call) + SETTLE_MS
    for (const window of this.#windows) {
      const away = window.effects.storeOf?.includes(call.forwarder) === true
      if (away && touches(window, call.endedAt, settledAt)) {
        settledAt = Math.max(settledAt, window.endedAt + RECONNECT_MS + SETTLE_MS)
      }
    }
    return settledAt
  }

  #endOfChain (call: Call): number {
    let endedAt = this.#unseenUntil(call.forwarder, call.endedAt)
    for (const next of this.#chains.get(chainKey(call))!) {
      if (next.startedAt < call.startedAt) continue
      if (next.startedAt > endedAt + CHAIN_MS) break
      endedAt = Math.max(endedAt, this.#unseenUntil(next.forwarder, next.endedAt))
    }
    return endedAt
  }

  /** Until when the next call of a delivery whose last call ended then may be on its way to CloudWatch. */
  #unseenUntil (forwarder: string, endedAt: number): number {
    const ends = this.#windows
      .filter(window => window.kind.startsWith('worker-cloudwatch') &&
        window.effects.answersOf?.includes(forwarder) === true && touches(window, endedAt, endedAt + CHAIN_MS))
      .map(window => window.endedAt + LATE_MS)
    return Math.max(endedAt, ...ends)
  }
}

function chainKey ({ forwarder, destination }: Call): string {
  return `${forwarder} ${destination}`
}
