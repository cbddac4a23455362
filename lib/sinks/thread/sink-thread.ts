import { Worker } from 'node:worker_threads'
import type { Log } from '../../forwarder.js'
import type { Pace } from '../../pace.js'
import type { Kind, Lease } from '../../spool/spool.js'
import type { DeliverContext, Delivery, Sink } from '../sink.js'
import { packRecords, type FromSinks, type ToSinks } from './messages.js'

export interface SinkThreadOptions {
  /** The module that the thread runs; it calls `serveSinks`. */
  module: URL
  /** What that module is given. */
  data: unknown
  /** By API, as the sinks name them. */
  paces: Record<string, Pace>
  retentionDaysFor: (group: string) => number | undefined
  /** Deliveries of each kind under way at once; the memory of the thread is bounded by it. */
  concurrency: number
  log: Log
}

interface UnderWay {
  lease: Lease
  context: DeliverContext
  end: (outcome: Delivery) => void
}

/** Young garbage is most of what a delivery makes; more room for it would only be held for longer. */
const YOUNG_MIB = 16
/** What the SDK and the code take, and at most each delivery of each kind. */
const BASE_MIB = 128
const DELIVERY_MIB = 64

/**
 * Sinks in a thread of their own, so that to serialize, hash and compress a batch does not keep requests waiting. The
 * thread starts with the first delivery. When it ends before its time, what it had under way is tried again.
 */
export class SinkThread {
  readonly #options: SinkThreadOptions
  readonly #underWay = new Map<number, UnderWay>()
  readonly #closing = new AbortController()
  #next = 0
  #worker: Worker | null = null
  #closed: Promise<void> | null = null

  constructor (options: SinkThreadOptions) {
    this.#options = options
  }

  sink (kind: Kind): Sink {
    return { kind, deliver: (lease, context) => this.#deliver(lease, context) }
  }

  /** Ends the thread; deliveries under way come to nothing. May be called twice. */
  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.#closing.abort()
    await this.#worker?.terminate()
  }

  async #deliver (lease: Lease, context: DeliverContext): Promise<Delivery> {
    const worker = this.#worker ??= this.#start()
    const delivery = this.#next++
    const abort = (): void => this.#post(worker, { type: 'abort', delivery })
    context.signal.addEventListener('abort', abort, { once: true })
    worker.ref()
    try {
      return await new Promise<Delivery>(resolve => {
        this.#underWay.set(delivery, { lease, context, end: resolve })
        const { id, kind, destination, attempt } = lease
        const retentionDays = kind === 'logs' ? this.#options.retentionDaysFor(destination.slice(0, destination.indexOf(':'))) : undefined
        this.#post(worker, { type: 'deliver', delivery, retentionDays, lease: { id, kind, destination, attempt, ...packRecords(lease.records) } })
        if (context.signal.aborted) abort()
      })
    } finally {
      context.signal.removeEventListener('abort', abort)
      this.#underWay.delete(delivery)
      if (this.#underWay.size === 0) worker.unref()
    }
  }

  #post (worker: Worker, message: ToSinks): void {
    worker.postMessage(message)
  }

  #start (): Worker {
    const { module, data, concurrency, log } = this.#options
    const worker = new Worker(module, { workerData: data, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB, maxOldGenerationSizeMb: BASE_MIB + DELIVERY_MIB * concurrency } })
    worker.on('message', (message: FromSinks) => { this.#receive(worker, message) })
    worker.on('error', (error: Error) => { log.error({ err: error }, 'the thread that delivers has failed, another takes its place') })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null
      for (const { lease, end } of this.#underWay.values()) end(nothingDelivered(lease))
    })
    return worker
  }

  #receive (worker: Worker, message: FromSinks): void {
    switch (message.type) {
      case 'acquire':
        this.#options.paces[message.api]!.acquire(this.#closing.signal).catch(() => {}).finally(() => this.#post(worker, { type: 'answer', question: message.question, held: true }))
        return
      case 'throttled':
        this.#options.paces[message.api]!.throttled(message.retryAfterMs)
        return
      case 'succeeded':
        this.#options.paces[message.api]!.succeeded()
        return
    }
    const underWay = this.#underWay.get(message.delivery)
    if (underWay === undefined) return
    const { context, end } = underWay
    switch (message.type) {
      case 'call':
        context.onCall(message.call)
        return
      case 'rejected':
        context.onRejected(...message.rejected)
        return
      case 'extend':
        context.extend().then(held => this.#post(worker, { type: 'answer', question: message.question, held }), () => {})
        return
      case 'delivered':
        end(message.outcome)
    }
  }
}

/** Whether CloudWatch has taken some of it, nobody knows: it is delivered again rather than lost. */
function nothingDelivered ({ records }: Lease): Delivery {
  return {
    settlement: { delivered: 0, remainder: records.map(({ line, items, bytes }) => ({ line, items, bytes })) },
    failure: { class: 'unavailable', message: 'the thread that delivers has ended' },
    receipts: []
  }
}
