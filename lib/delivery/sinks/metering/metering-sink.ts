import { monotonicNow } from '../../../clock.js'
import { isObject } from '../../../guards.js'
import type { Failure } from '../../../resilience/failure.js'
import type { MeteredCall } from '../../../metering/metered-call.js'
import type { MeteringClient } from '../../../metering/metering-client.js'
import type { DeliveredIds } from '../../../metering/delivered-ids.js'
import type { UnreadableLine } from '../../../metering/subscription.js'
import { LEASE_RAN_OUT } from '../api-call.js'
import { LeaseItems } from '../lease-items.js'
import type { DeliverContext, Sink } from '../sink.js'

/** An unreadable line is carried, too, so that it ends among the dead letters, where an operator finds it. */
export type StoredMetering = MeteredCall | UnreadableLine

/** The most that one lease of metering events may hold. The platform takes events one by one. */
export const METERING_BATCH = { items: 500, bytes: 1_000_000 } as const

export interface MeteringSinkOptions {
  client: MeteringClient
  delivered: DeliveredIds
  /** Calls to the platform under way at once. */
  concurrency: number
  /** Name of the API in metrics and logs. */
  api: string
  /** Told of calls that were delivered before, and are not sent again. */
  onDuplicates: (count: number) => void
  /** The ids of delivered calls cannot be read or stored: the platform must recognise a repeated call by its key. */
  onMemoryError: (error: unknown) => void
}

/** Bytes that one event counts: the length of its JSON. */
export function countMetering (item: StoredMetering): number {
  return Buffer.byteLength(JSON.stringify(item))
}

function isStoredMetering (value: unknown): value is StoredMetering {
  return isObject(value)
}

/**
 * POSTs to a metering platform. Each call is sent until it is taken or refused; then, and not before, it is remembered.
 */
export function createMeteringSink (options: MeteringSinkOptions): Sink {
  return {
    kind: 'metering',
    async deliver (lease, context) {
      const stored: StoredMetering[] = []
      const items = await LeaseItems.open<StoredMetering>(lease, {
        isItem: isStoredMetering,
        count: countMetering,
        add: item => { stored.push(item) }
      })
      const delivery = new MeteringDelivery(options, stored, items, lease.destination, context)
      return items.close(await delivery.run())
    }
  }
}

/** A call, and the indexes of the items that are about it. */
type CallIndexes = [MeteredCall, number[]]

class MeteringDelivery {
  readonly #options: MeteringSinkOptions
  readonly #stored: StoredMetering[]
  readonly #items: LeaseItems<StoredMetering>
  readonly #destination: string
  readonly #context: DeliverContext
  /** The failure that has ended the delivery; calls under way are finished. */
  #failure: Failure | null = null

  constructor (
    options: MeteringSinkOptions, stored: StoredMetering[], items: LeaseItems<StoredMetering>, destination: string,
    context: DeliverContext
  ) {
    this.#options = options
    this.#stored = stored
    this.#items = items
    this.#destination = destination
    this.#context = context
  }

  async run (): Promise<Failure | null> {
    const waiting = await this.#withoutDelivered(this.#byId())
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (this.#context.signal.aborted) {
          this.#failure ??= { class: 'unavailable', message: 'this process is about to stop' }
        }
        if (!await this.#context.extend()) this.#failure ??= LEASE_RAN_OUT
        if (this.#failure !== null) return
        await this.#send(next)
      }
    }
    await Promise.all(Array.from({ length: this.#options.concurrency }, work))
    return this.#failure
  }

  /** One call is one event, however often it was stored. The last to be sent comes first. */
  #byId (): CallIndexes[] {
    const byId = new Map<string, CallIndexes>()
    for (const [index, item] of this.#stored.entries()) {
      if ('line' in item) this.#items.refuse(index, item.message)
      else if (byId.has(item.id)) byId.get(item.id)![1].push(index)
      else byId.set(item.id, [item, [index]])
    }
    return [...byId.values()].reverse()
  }

  async #withoutDelivered (calls: CallIndexes[]): Promise<CallIndexes[]> {
    const known = await this.#options.delivered.among(calls.map(([{ id }]) => id)).catch((error: unknown) => {
      this.#options.onMemoryError(error)
      return new Set<string>()
    })
    const repeated = calls.filter(([{ id }]) => known.has(id))
    for (const [, indexes] of repeated) this.#items.deliver(indexes, undefined)
    const duplicates = this.#stored.filter(item => 'id' in item).length - calls.length + repeated.length
    if (duplicates > 0) this.#options.onDuplicates(duplicates)
    return calls.filter(([{ id }]) => !known.has(id))
  }

  async #send ([call, indexes]: CallIndexes): Promise<void> {
    const { client, api, delivered, onMemoryError } = this.#options
    const startedAt = monotonicNow()
    const failure = await client.post(call, this.#context.signal)
    this.#context.onCall({
      api,
      destination: this.#destination,
      items: 1,
      fill: 1,
      durationMs: monotonicNow() - startedAt,
      failure: failure?.class ?? null
    })
    if (failure === null) {
      await delivered.add([call.id]).catch(onMemoryError)
      this.#items.deliver(indexes, undefined)
    } else if (failure.class === 'invalid' || failure.class === 'conflict') {
      for (const index of indexes) this.#items.refuse(index, failure.message)
    } else {
      this.#failure ??= failure
    }
  }
}
