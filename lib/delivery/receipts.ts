import { EventEmitter } from 'node:events'
import { MAX_REJECTED_ENTRIES } from '../../schemas/intake.js'
import type { RejectionReason, DeadLetterReason } from '../../schemas/reasons.js'

export interface RejectedItem {
  /** Index in the request. */
  index: number
  reason: RejectionReason | DeadLetterReason
  message: string
}

/** The outcomes of some items of one request. */
export interface ReceiptUpdate {
  id: string
  delivered: number
  /** AWS's id of the call that delivered the items. */
  requestId: string | null
  rejected: RejectedItem[]
}

/** The outcomes of the items of one request. */
export interface Receipt {
  /** False when the time ran out first; then some items are still in the spool. */
  settled: boolean
  requestId: string | null
  /** The first items that were not delivered. */
  rejected: RejectedItem[]
  /** By reason: all items that were not delivered. */
  rejectedCount: Partial<Record<RejectedItem['reason'], number>>
}

/** Carries updates from the process that delivers to the process where a request waits. */
export interface ReceiptChannel {
  publish (update: ReceiptUpdate): void
  subscribe (listener: (update: ReceiptUpdate) => void): void
}

/** The channel of one process that both takes requests and delivers. */
export function createLocalChannel (): ReceiptChannel {
  const emitter = new EventEmitter()
  return {
    publish: update => { emitter.emit('update', update) },
    subscribe: listener => { emitter.on('update', listener) }
  }
}

interface Wait {
  update: (update: ReceiptUpdate) => void
  finish: () => void
}

/** Lets a request wait for the delivery of its items. */
export class Receipts {
  readonly #channel: ReceiptChannel
  readonly #waiting = new Map<string, Wait>()
  /** The longest that a request may wait from now on. */
  #maxWaitMs = Infinity

  constructor (channel: ReceiptChannel) {
    this.#channel = channel
    channel.subscribe(update => this.#waiting.get(update.id)?.update(update))
  }

  publish (update: ReceiptUpdate): void {
    this.#channel.publish(update)
  }

  /** Lets no request wait for longer than this from now on: the process is about to end. */
  endWithin (ms: number): void {
    this.#maxWaitMs = ms
    setTimeout(() => {
      this.#maxWaitMs = 0
      for (const { finish } of [...this.#waiting.values()]) finish()
    }, ms).unref()
  }

  /**
   * To be called before the append, or the delivery may come first.
   * @param items how many items have to meet their outcome
   * @returns the receipt, and a way to stop waiting when the append fails
   */
  wait (id: string, items: number, timeoutMs: number): { receipt: Promise<Receipt>, cancel: () => void } {
    let cancel = (): void => {}
    const receipt = new Promise<Receipt>(resolve => {
      const state: Receipt = { settled: false, requestId: null, rejected: [], rejectedCount: {} }
      let open = items
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(id)
        resolve(state)
      }
      const timer = setTimeout(finish, Math.min(timeoutMs, this.#maxWaitMs))
      timer.unref()
      cancel = finish
      const update = (update: ReceiptUpdate): void => {
        open -= update.delivered + update.rejected.length
        state.requestId ??= update.requestId
        for (const item of update.rejected) {
          state.rejectedCount[item.reason] = (state.rejectedCount[item.reason] ?? 0) + 1
          if (state.rejected.length < MAX_REJECTED_ENTRIES) state.rejected.push(item)
        }
        if (open <= 0) {
          state.settled = true
          finish()
        }
      }
      this.#waiting.set(id, { update, finish })
    })
    return { receipt, cancel }
  }
}
