import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, type BackoffSchedules } from '../resilience/backoff.js'
import { createForwarderHealth, type ForwarderHealth } from './forwarder-health.js'
import type { FailureClass } from '../resilience/failure.js'
import type { Log } from '../logger.js'
import type { DeadLetterReason, RejectionReason } from '../../schemas/reasons.js'
import { holdLease } from './lease-holder.js'
import type { ReceiptUpdate } from './receipts.js'
import type { DeliverContext, Delivery, DeliveryFailure, Sink, SinkCall } from './sinks/sink.js'
import {
  SpoolFullError, SpoolUnavailableError, type Lease, type Settlement, type Spool, type UnreadRecord
} from '../spool/spool.js'
import type { MonotonicMs, UnixMs } from '../../schemas/common.js'
import type { Kind } from '../../schemas/kinds.js'

/** The longest sleep of a forwarder whose spool lets items linger for longer. */
const MAX_SLEEP_MS = 1_000
/** The shortest sleep. */
const MIN_SLEEP_MS = 5
/** While stopping, a destination that may be tried again within this time is waited for. */
const STOP_WAIT_MS = 1_000

/** Counts calls and outcomes; called synchronously, must not throw. */
export interface ForwarderObserver {
  /** @param application whose items the call carries or makes room for; undefined when nobody knows */
  onCall (call: SinkCall, application: string | undefined): void
  /** @param delayMs from the append of the oldest item of the lease to its delivery */
  onDelivered (kind: Kind, destination: string, items: number, delayMs: number): void
  onRejected (kind: Kind, reason: RejectionReason, items: number): void
  onDeadLettered (kind: Kind, reason: DeadLetterReason, items: number): void
  /** CloudWatch has taken these items, but their lease ran out before that was stored: they are sent again. */
  onRepeated (kind: Kind, items: number): void
  /** These items will be sent again. */
  onRetry (kind: Kind, failure: FailureClass, items: number): void
}

export interface ForwarderOptions {
  spool: Spool
  sink: Sink
  /** Deliveries under way at once. */
  concurrency: number
  /** The lease time of the spool. */
  leaseMs: number
  /** The linger of the spool: an idle forwarder looks this often, as an append that is not urgent does not wake it. */
  lingerMs: number
  backoff: BackoffSchedules
  log: Log
  observer: ForwarderObserver
  receipts: { publish (update: ReceiptUpdate): void }
  now: () => UnixMs
  /** Measures for how long a lease is held. */
  monotonicNow: () => MonotonicMs
  /** In [0, 1). */
  random: () => number
}

export interface Forwarder {
  start (): void
  /**
   * Takes and delivers the records that wait, lingering or not, until none is left or graceMs are over; then aborts the
   * deliveries under way and releases their leases. The next process delivers the rest. May be called twice.
   */
  stop (graceMs: number): Promise<void>
  health (): ForwarderHealth
}

/** Delivers the records of one kind from the spool through its sink. */
export function createForwarder (options: ForwarderOptions): Forwarder {
  return new SpoolForwarder(options)
}

class SpoolForwarder implements Forwarder {
  readonly #options: ForwarderOptions
  readonly #kind: Kind
  readonly #health
  readonly #underWay = new Set<Promise<void>>()
  /** Deliveries under way that hold no place: they wait for a log group or log stream to be made. */
  #aside = 0
  /** Aborted when the grace of a stop is over. */
  readonly #abort = new AbortController()
  #running: Promise<void> | null = null
  #stopped: Promise<void> | null = null
  /**
   * Null until `stop` is called; then how many of the items that waited at that time are still to be taken. Items
   * that come later belong to the processes that go on.
   */
  #itemsLeft: number | null = null
  /** Failures of the spool in a row. */
  #spoolFailures = 0
  #wake: () => void = () => {}
  /** A destination became due, or a delivery ended, while the forwarder was not asleep. */
  #woken = false

  constructor (options: ForwarderOptions) {
    this.#options = options
    this.#kind = options.sink.kind
    this.#health = createForwarderHealth({
      now: options.now,
      monotonicNow: options.monotonicNow,
      forgetMs: 3 * options.backoff.denied.capMs
    })
  }

  start (): void {
    this.#running ??= this.#stopped === null ? this.#run() : Promise.resolve()
  }

  stop (graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  health (): ForwarderHealth {
    return this.#health.read()
  }

  async #stop (graceMs: number): Promise<void> {
    this.#itemsLeft = Infinity
    this.#wakeUp()
    const timer = setTimeout(() => {
      this.#abort.abort()
      this.#wakeUp()
    }, graceMs)
    if (this.#running !== null) await this.#countItemsLeft()
    await this.#running
    clearTimeout(timer)
  }

  /** Leased items count, too, as a delivery under way may leave some of them. */
  async #countItemsLeft (): Promise<void> {
    try {
      this.#itemsLeft = (await this.#options.spool.depth(this.#kind)).items
    } catch (error) {
      this.#spoolFailed(error)
    }
  }

  async #run (): Promise<void> {
    const stopListening = this.#options.spool.onDue(kind => { if (kind === this.#kind) this.#wakeUp() })
    while (!this.#abort.signal.aborted) {
      if (this.#underWay.size - this.#aside >= this.#options.concurrency) {
        this.#woken = false
        await this.#sleep(MAX_SLEEP_MS)
        continue
      }
      const next = await this.#takeNext()
      if (next === 'stop') break
      if (next !== 'again') await this.#sleep(next.sleepMs)
    }
    await Promise.all(this.#underWay)
    stopListening()
  }

  async #takeNext (): Promise<'again' | 'stop' | { sleepMs: number }> {
    const stopping = this.#itemsLeft !== null
    this.#woken = false
    if (stopping && this.#itemsLeft! <= 0) return this.#underWay.size === 0 ? 'stop' : { sleepMs: MAX_SLEEP_MS }
    const askedAt = this.#options.monotonicNow()
    let result
    try {
      result = await this.#options.spool.take(this.#kind, { flush: stopping })
      this.#spoolWorked()
    } catch (error) {
      return { sleepMs: this.#spoolFailed(error) }
    }
    if (result.lease !== null) {
      this.#deliverAside(result.lease, askedAt)
      if (this.#itemsLeft !== null) this.#itemsLeft -= itemsOf(result.lease.records)
      return 'again'
    }
    const dueMs = result.nextDueMs ?? Infinity
    if (stopping && this.#underWay.size === 0 && dueMs > STOP_WAIT_MS) return 'stop'
    return { sleepMs: Math.min(MAX_SLEEP_MS, this.#options.lingerMs, Math.max(MIN_SLEEP_MS, dueMs)) }
  }

  #deliverAside (lease: Lease, takenAt: MonotonicMs): void {
    const delivery = this.#deliver(lease, takenAt)
      .catch(error => {
        const fields = { kind: this.#kind, destination: lease.destination, err: error }
        this.#options.log.error(fields, 'a delivery has thrown, which it never should')
      })
      .finally(() => {
        this.#underWay.delete(delivery)
        this.#wakeUp()
      })
    this.#underWay.add(delivery)
  }

  async #deliver (lease: Lease, takenAt: MonotonicMs): Promise<void> {
    const { spool, leaseMs, monotonicNow: now } = this.#options
    const holder = holdLease({ spool, lease, leaseMs, takenAt, now, onSpoolError: error => this.#spoolFailed(error) })
    try {
      const delivery = await this.#callSink(lease, holder.extend)
      await this.#settle(lease, delivery)
    } finally {
      holder.stop()
    }
  }

  async #callSink (lease: Lease, extend: () => Promise<boolean>): Promise<Delivery | DeliveryFailure> {
    const { sink, observer, log } = this.#options
    let isAside = false
    const standAside = (aside: boolean): void => {
      if (aside === isAside) return
      isAside = aside
      this.#aside += aside ? 1 : -1
      if (aside) this.#wakeUp()
    }
    const context: DeliverContext = {
      signal: this.#abort.signal,
      extend,
      onCall: call => observer.onCall(call, lease.application),
      standAside,
      onRejected: (_destination, reason, count) => observer.onRejected(this.#kind, reason, count)
    }
    try {
      return await sink.deliver(lease, context)
    } catch (error) {
      log.error({
        kind: this.#kind,
        destination: lease.destination,
        err: error
      }, 'the sink has thrown, which it never should')
      return { class: 'unavailable', message: (error as Error).message }
    } finally {
      standAside(false)
    }
  }

  async #settle (lease: Lease, outcome: Delivery | DeliveryFailure): Promise<void> {
    const { spool } = this.#options
    const delivery = 'settlement' in outcome ? outcome : null
    const failure = delivery === null ? outcome as DeliveryFailure : delivery.failure
    const delayMs = failure === null ? 0 : this.#reportFailure(lease, failure, delivery)
    const unread = delivery?.settlement.unread ?? []
    const unreadDelayMs = unread.length === 0 ? 0 : this.#reportUnread(lease, unread)

    if (this.#itemsLeft !== null) {
      this.#itemsLeft += itemsOf(delivery === null ? lease.records : delivery.settlement.remainder ?? [])
    }

    // Unread records that were set aside already stay where they are.
    const asideOnly = unread.length === 0 || (lease.unread === true && itemsOf(unread) === itemsOf(lease.records))
    if (delivery === null || (hasNoOutcome(delivery.settlement) && asideOnly)) {
      await this.#untilStored(lease, () => spool.release(lease, Math.max(delayMs, unreadDelayMs)))
      return
    }
    const settlement = {
      ...delivery.settlement,
      ...(failure === null ? {} : { delayMs }),
      ...(unread.length === 0 ? {} : { unreadDelayMs })
    }
    const wasHeld = await this.#untilStored(lease, () => spool.settle(lease, settlement))
    if (wasHeld === true) this.#reportOutcomes(lease, delivery)
    else if (wasHeld === false) this.#reportRepeated(lease, settlement.delivered)
  }

  /** Another process has the records, and reports what becomes of their items. */
  #reportRepeated (lease: Lease, items: number): void {
    const { observer, log } = this.#options
    if (items > 0) observer.onRepeated(this.#kind, items)
    log.warn({
      kind: this.#kind,
      destination: lease.destination,
      items
    }, 'the lease ran out before the end of its delivery was stored, these items are delivered twice')
  }

  /** @returns milliseconds until the next attempt */
  #reportFailure (lease: Lease, failure: DeliveryFailure, delivery: Delivery | null): number {
    const { backoff, random, log, observer } = this.#options
    if (this.#abort.signal.aborted) return 0
    const nextTryMs = backoffMs(failure, lease.attempt, backoff, random)
    const items = itemsOf(delivery?.settlement.remainder ?? lease.records)
    const denied = failure.class === 'denied'
    this.#health.failed(lease.destination, failure)
    observer.onRetry(this.#kind, failure.class, items)
    log[denied ? 'error' : 'warn']({
      kind: this.#kind,
      destination: lease.destination,
      class: failure.class,
      attempt: lease.attempt,
      nextTryMs,
      items,
      reason: failure.message
    }, 'delivery failed, will be tried again')
    return nextTryMs
  }

  /** @returns milliseconds until the unread records may be leased again: somebody has to start a newer gateway first */
  #reportUnread (lease: Lease, unread: UnreadRecord[]): number {
    const { backoff, random, log } = this.#options
    const nextTryMs = backoffMs({ class: 'denied' }, lease.attempt, backoff, random)
    const versions = [...new Set(unread.map(({ version }) => version))]
    log.warn({
      kind: this.#kind,
      destination: lease.destination,
      versions,
      records: unread.length,
      nextTryMs
    }, 'records of a later version stay in the spool')
    return nextTryMs
  }

  #reportOutcomes (lease: Lease, { settlement, failure, receipts }: Delivery): void {
    const { observer, log, now } = this.#options
    if (settlement.delivered > 0) {
      const oldest = Math.min(...lease.records.map(({ appendedAt }) => appendedAt))
      observer.onDelivered(this.#kind, lease.destination, settlement.delivered, Math.max(0, now() - oldest))
    }
    if (failure === null || failure.class === 'invalid' || (settlement.delivered > 0 && failure.class !== 'denied')) {
      this.#health.answered(lease.destination)
    }
    for (const reason of new Set(settlement.deadLetters?.map(letter => letter.reason))) {
      const items = itemsOf(settlement.deadLetters!.filter(letter => letter.reason === reason))
      observer.onDeadLettered(this.#kind, reason, items)
      log.warn({
        kind: this.#kind,
        destination: lease.destination,
        class: reason,
        items
      }, 'items are kept as dead letters')
    }
    for (const update of receipts) this.#options.receipts.publish(update)
  }

  /**
   * An answer of CloudWatch must not be lost because the store is away or full for a moment: tried until it is stored,
   * or until the process has to end and the lease expires.
   * @returns what the store has answered; null when it was not stored
   */
  async #untilStored<T> (lease: Lease, store: () => Promise<T>): Promise<T | null> {
    for (;;) {
      try {
        const answer = await store()
        this.#spoolWorked()
        return answer
      } catch (error) {
        if (!(error instanceof SpoolUnavailableError || error instanceof SpoolFullError)) {
          return await this.#giveUp(lease, error)
        }
        const sleepMs = this.#spoolFailed(error)
        if (this.#abort.signal.aborted) return null
        await sleep(sleepMs, undefined, { signal: this.#abort.signal }).catch(() => {})
      }
    }
  }

  /** The settlement itself is refused: the records are delivered again rather than lost. */
  async #giveUp (lease: Lease, error: unknown): Promise<null> {
    const { spool, log, backoff, random } = this.#options
    const fields = { kind: this.#kind, destination: lease.destination, err: error }
    log.error(fields, 'the spool refuses how a delivery has ended, which it never should')
    await spool.release(lease, backoffMs({ class: 'unavailable' }, lease.attempt, backoff, random)).catch(() => {})
    return null
  }

  #spoolWorked (): void {
    if (this.#spoolFailures > 0) this.#options.log.info({ kind: this.#kind }, 'the spool works again')
    this.#spoolFailures = 0
  }

  /** @returns milliseconds to wait before the spool is asked again */
  #spoolFailed (error: unknown): number {
    const { log, backoff, random } = this.#options
    if (this.#spoolFailures === 0) log.error({ kind: this.#kind, err: error }, 'the spool fails')
    return backoffMs({ class: 'unavailable' }, Math.min(this.#spoolFailures++, 4), backoff, random)
  }

  #wakeUp (): void {
    this.#woken = true
    this.#wake()
  }

  async #sleep (ms: number): Promise<void> {
    if (this.#woken) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
      const timer = setTimeout(resolve, ms)
      timer.unref()
    })
    this.#wake = () => {}
  }
}

function hasNoOutcome ({ delivered, rejected = {}, deadLetters = [] }: Settlement): boolean {
  return delivered === 0 && deadLetters.length === 0 && Object.keys(rejected).length === 0
}

function itemsOf (records: Array<{ items: number }>): number {
  return records.reduce((sum, { items }) => sum + items, 0)
}
