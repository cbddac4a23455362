import type { IntakeAnswer } from '../../schemas/intake.js'
import { ApiError } from '../http/api-error.js'
import { encodeRecords, type Measure } from '../spool/record.js'
import { InvalidItem } from '../items/item-error.js'
import type { Receipts, RejectedItem } from '../delivery/receipts.js'
import type { InvalidItemReason } from '../../schemas/reasons.js'
import type { Append, Spool, SpoolRecord } from '../spool/spool.js'
import type { Kind } from '../../schemas/kinds.js'
import type { ClientInfo } from '../policy/item-policy.js'
import type { Principal } from '../access/access-tokens.js'

/** What a client asks for in headers, and who it is. */
export interface IntakeContext {
  /** The gateway's id of this request. */
  requestId: string
  application: string
  /** What the token allows; absent or null: the gateway's own items, which may go anywhere. */
  identity?: Principal | null
  /** Who sent the items; absent: the gateway itself. */
  client?: ClientInfo
  idempotencyKey?: string | undefined
  /** Seconds to wait for the delivery; 0 to answer after the durable append. */
  wait: number
  /** The JSON that the items were read from; absent or null when it is not at hand. */
  bodyText?: string | null
}

export interface IntakeBatch<Item> {
  kind: Kind
  destination: string
  /** The request's items as they came. */
  items: unknown[]
  /** @throws Refusal */
  read: (item: unknown, index: number) => Item
  measure: Measure<Item>
  /**
   * Writes all items of the request as one record, for less than their measures cost; null when that cannot be. Not
   * called when some were rejected, or somebody waits for them.
   */
  encodeAsCame?: (items: Item[]) => SpoolRecord | null
  /** Called with the good items before they are stored; may replace them in the array. */
  prepare?: (items: Item[]) => void | Promise<void>
  /** Called once these items are stored, not for a request that was stored before; must not throw. */
  onStored?: (items: Item[], bytes: number) => void
}

export interface IntakeResult {
  answer: IntakeAnswer
  /** Whether the delivery that the client waited for has come. */
  delivered: boolean
  /** Whether this is the answer that an earlier request with the same idempotency key got. */
  replayed: boolean
}

/** Counts what is taken and what is refused; called synchronously, must not throw. */
export interface IntakeObserver {
  onAccepted (kind: Kind, items: number): void
  onRefused (kind: Kind, reason: InvalidItemReason): void
}

interface Sorted<Item> {
  items: Item[]
  indexes: number[]
  rejected: Array<{ index: number, reason: InvalidItemReason, message: string }>
}

function sortItems<Item> (batch: IntakeBatch<Item>): Sorted<Item> {
  const sorted: Sorted<Item> = { items: [], indexes: [], rejected: [] }
  for (let index = 0; index < batch.items.length; index++) {
    try {
      sorted.items.push(batch.read(batch.items[index], index))
      sorted.indexes.push(index)
    } catch (error) {
      if (!(error instanceof InvalidItem)) throw error
      sorted.rejected.push({ index, reason: error.reason, message: error.message })
    }
  }
  return sorted
}

/** Stores the good items of a request and says what became of each. */
export class Intake {
  readonly #spool: Spool
  readonly #receipts: Receipts
  readonly #observer: IntakeObserver

  constructor (spool: Spool, receipts: Receipts, observer: IntakeObserver) {
    this.#spool = spool
    this.#receipts = receipts
    this.#observer = observer
  }

  /**
   * Resolves after the durable append or, when the client waits, after the delivery.
   * @throws ApiError when every item was rejected
   * @throws SpoolFullError
   * @throws SpoolUnavailableError
   */
  async accept<Item> (batch: IntakeBatch<Item>, context: IntakeContext): Promise<IntakeResult> {
    const { items, indexes, rejected } = sortItems(batch)
    for (const { reason } of rejected) this.#observer.onRefused(batch.kind, reason)
    if (items.length === 0) throw new ApiError('allItemsRejected', { body: { accepted: 0, rejected } })
    const preparing = batch.prepare?.(items)
    if (preparing !== undefined) await preparing

    const answer: IntakeAnswer = { ResponseMetadata: { RequestId: context.requestId }, accepted: items.length, rejected }
    const waits = context.wait > 0
    const waiting = waits ? this.#receipts.wait(context.requestId, items.length, context.wait * 1000) : null
    const asCame = rejected.length > 0 || waits ? null : batch.encodeAsCame?.(items) ?? null
    const append: Append = {
      kind: batch.kind,
      destination: batch.destination,
      records: asCame !== null ? [asCame] : encodeRecords(items, batch.measure, waits ? { id: context.requestId, indexes } : undefined),
      urgent: waits
    }
    if (context.idempotencyKey !== undefined) {
      append.idempotency = { key: JSON.stringify([context.application, batch.kind, context.idempotencyKey]), answer: JSON.stringify(answer) }
    }

    const stored = await this.#spool.append(append).catch((error: unknown) => {
      waiting?.cancel()
      throw error
    })
    if (!stored.stored) {
      waiting?.cancel()
      return { answer: JSON.parse(stored.answer) as IntakeAnswer, delivered: false, replayed: true }
    }
    this.#observer.onAccepted(batch.kind, items.length)
    batch.onStored?.(items, append.records.reduce((sum, { bytes }) => sum + bytes, 0))
    if (waiting === null) return { answer, delivered: false, replayed: false }

    const receipt = await waiting.receipt
    return { answer: withReceipt(answer, receipt.requestId, receipt.rejected), delivered: receipt.settled, replayed: false }
  }
}

function withReceipt (answer: IntakeAnswer, requestId: string | null, rejected: RejectedItem[]): IntakeAnswer {
  return {
    ResponseMetadata: { RequestId: requestId ?? answer.ResponseMetadata.RequestId },
    accepted: answer.accepted - rejected.length,
    rejected: [...answer.rejected, ...rejected].sort((a, b) => a.index - b.index)
  }
}
