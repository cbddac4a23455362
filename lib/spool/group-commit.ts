import { monotonicNow } from '../clock.js'
import type { MonotonicMs } from '../../schemas/common.js'

/** An operation that waits for its flush; the flush resolves or rejects each exactly once. */
export interface Pending<Op, Result> {
  op: Op
  pushedAt: MonotonicMs
  resolve: (result: Result) => void
  reject: (error: Error) => void
}

export interface GroupCommitLimits<Op> {
  /** Operations in one flush. */
  maxOps: number
  /** Sum of weights after which a flush takes no further operation. */
  maxWeight: number
  weigh: (op: Op) => number
}

/**
 * Writes operations in groups: the operations of one turn of the event loop go together, and while a flush is on its
 * way the next operations gather behind it. Never runs two flushes at once, so a flush sees the writes of the flushes
 * before it.
 */
export class GroupCommit<Op, Result> {
  readonly #flush: (group: Pending<Op, Result>[]) => Promise<void>
  readonly #limits: GroupCommitLimits<Op>
  #pending: Pending<Op, Result>[] = []
  #running = false
  #idle: (() => void)[] = []

  /** @param flush settles every operation of the group; when it throws, the unsettled operations are rejected */
  constructor (flush: (group: Pending<Op, Result>[]) => Promise<void>, limits: GroupCommitLimits<Op>) {
    this.#flush = flush
    this.#limits = limits
  }

  push (op: Op): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ op, pushedAt: monotonicNow(), resolve, reject })
      this.#start()
    })
  }

  /** Resolves when no operation waits and no flush is on its way. */
  idle (): Promise<void> {
    if (!this.#running) return Promise.resolve()
    return new Promise(resolve => this.#idle.push(resolve))
  }

  #start (): void {
    if (this.#running) return
    this.#running = true
    setImmediate(() => this.#run())
  }

  async #run (): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#next()
      try {
        await this.#flush(group)
      } catch (error) {
        for (const { reject } of group) reject(error as Error)
      }
    }
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #next (): Pending<Op, Result>[] {
    const { maxOps, maxWeight, weigh } = this.#limits
    let count = 0
    let weight = 0
    while (count < this.#pending.length && count < maxOps && weight < maxWeight) {
      weight += weigh(this.#pending[count++]!.op)
    }
    if (count < this.#pending.length) return this.#pending.splice(0, count)
    const group = this.#pending
    this.#pending = []
    return group
  }
}
