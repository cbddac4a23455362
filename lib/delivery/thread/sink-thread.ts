import { Worker } from 'node:worker_threads'
import type { Log } from '../../logger.js'
import type { RateLimiter } from '../../resilience/rate-limiter.js'
import type { Lease } from '../../spool/spool.js'
import type { Kind } from '../../../schemas/kinds.js'
import type { DeliverContext, Delivery, Sink } from '../sinks/sink.js'
import { LineBuffers } from './line-buffers.js'
import { packRecords, remainderOf, type FromSinks, type ToSinks } from './messages.js'

export interface SinkThreadOptions {
  /** The module that the thread runs; it calls `serveSinks`. */
  module: URL
  /** The `workerData` of that module. */
  data: unknown
  /** By the name of the API. */
  rateLimiters: Record<string, RateLimiter>
  retentionDaysFor: (group: string) => number | undefined
  /** Whether log groups and log streams are made for this application; asked when a delivery starts. */
  mayCreateFor: (application: string) => boolean
  /** Deliveries of each kind under way at once; bounds the memory of the thread. */
  concurrency: number
  log: Log
}

interface UnderWay {
  lease: Lease
  context: DeliverContext
  /** Aborted when the delivery has to end, and when it has ended: no rate limiter waits for it any longer. */
  over: AbortSignal
  end: (outcome: Delivery) => void
  fail: (error: Error) => void
}

/** A delivery makes mostly young garbage; more room for it would only be held for longer. */
const YOUNG_MIB = 16
/** Heap of the SDK and the code, and at most of each delivery of each kind. */
const BASE_MIB = 128
const DELIVERY_MIB = 64

/**
 * Sinks in a thread of their own, so that requests do not wait while a batch is serialized, hashed and compressed. The
 * thread starts with the first delivery. When it dies, its deliveries under way are tried again in another thread.
 */
export class SinkThread {
  readonly #options: SinkThreadOptions
  readonly #underWay = new Map<number, UnderWay>()
  readonly #buffers = new LineBuffers()
  #next = 0
  #worker: Worker | null = null
  #closed: Promise<void> | null = null

  constructor (options: SinkThreadOptions) {
    this.#options = options
  }

  sink (kind: Kind): Sink {
    return { kind, deliver: (lease, context) => this.#deliver(lease, context) }
  }

  /** Ends the thread; its deliveries under way fail. May be called twice. */
  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    await this.#worker?.terminate()
  }

  async #deliver (lease: Lease, context: DeliverContext): Promise<Delivery> {
    if (this.#closed !== null) return nothingDelivered(lease)
    const worker = this.#worker ??= this.#start()
    const delivery = this.#next++
    const over = new AbortController()
    const abort = (): void => {
      // Before `over`: the other thread must know of the abort when its wait for the rate limiter ends.
      this.#post(worker, { type: 'abort', delivery })
      over.abort()
    }
    context.signal.addEventListener('abort', abort, { once: true })
    worker.ref()
    let buffer: SharedArrayBuffer | undefined
    try {
      return await new Promise<Delivery>((resolve, reject) => {
        this.#underWay.set(delivery, { lease, context, over: over.signal, end: resolve, fail: reject })
        const { id, kind, destination, application, attempt } = lease
        const mayCreate = kind !== 'logs' || application === undefined || this.#options.mayCreateFor(application)
        const retentionDays = kind === 'logs'
          ? this.#options.retentionDaysFor(destination.slice(0, destination.indexOf(':')))
          : undefined
        const packed = packRecords(lease.records, bytes => this.#buffers.take(bytes))
        buffer = packed.lines.buffer
        const packedLease = { id, kind, destination, application, attempt, ...packed }
        this.#post(worker, { type: 'deliver', delivery, retentionDays, mayCreate, lease: packedLease })
        if (context.signal.aborted) abort()
      })
    } finally {
      context.signal.removeEventListener('abort', abort)
      this.#underWay.delete(delivery)
      if (buffer !== undefined) this.#buffers.give(buffer)
      over.abort()
      if (this.#underWay.size === 0) worker.unref()
    }
  }

  #post (worker: Worker, message: ToSinks): void {
    worker.postMessage(message)
  }

  #start (): Worker {
    const { module, data, concurrency, log } = this.#options
    const worker = new Worker(module, {
      workerData: data,
      resourceLimits: {
        maxYoungGenerationSizeMb: YOUNG_MIB,
        maxOldGenerationSizeMb: BASE_MIB + DELIVERY_MIB * concurrency
      }
    })
    worker.on('message', (messages: FromSinks[]) => { for (const message of messages) this.#receive(worker, message) })
    worker.on('error', (error: Error) => {
      log.error({ err: error }, 'the thread that delivers has failed, another takes its place')
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null
      for (const { lease, end } of this.#underWay.values()) end(nothingDelivered(lease))
    })
    return worker
  }

  #receive (worker: Worker, message: FromSinks): void {
    const { rateLimiters } = this.#options
    switch (message.type) {
      case 'throttled':
        rateLimiters[message.api]!.throttled(message.retryAfterMs)
        return
      case 'succeeded':
        rateLimiters[message.api]!.succeeded()
        return
    }
    const underWay = this.#underWay.get(message.delivery)
    if (underWay === undefined) return
    const { lease, context, over, end, fail } = underWay
    const answer = (question: number, held: boolean): void => this.#post(worker, { type: 'answer', question, held })
    const extend = (question: number): Promise<void> =>
      context.extend().then(held => answer(question, held), () => answer(question, false))
    switch (message.type) {
      case 'call':
        context.onCall(message.call)
        return
      case 'aside':
        context.standAside(message.aside)
        return
      case 'rejected':
        context.onRejected(...message.rejected)
        return
      case 'acquire':
        rateLimiters[message.api]!.acquire(over).catch(() => {}).then(() => extend(message.question))
        return
      case 'extend':
        extend(message.question)
        return
      case 'thrown':
        fail(new Error(message.message))
        return
      case 'delivered':
        if (message.untouched) message.outcome.settlement.remainder = remainderOf(lease.records)
        end(message.outcome)
    }
  }
}

/** CloudWatch may have taken some of the items: they are delivered again rather than lost. */
function nothingDelivered ({ records }: Lease): Delivery {
  return {
    settlement: { delivered: 0, remainder: remainderOf(records) },
    failure: { class: 'unavailable', message: 'the thread that delivers has ended' },
    receipts: []
  }
}
