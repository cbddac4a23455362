import type { IntakeAnswer } from '../../schemas/intake.js'
import type { Kind } from '../../schemas/kinds.js'
import type { InvalidItemReason } from '../../schemas/reasons.js'
import { ApiError } from '../http/api-error.js'
import { KEY_HOLD_MS } from '../spool/key-limits.js'
import type { KeyedAppend, Spool } from '../spool/spool.js'
import type { IntakeContext } from './intake-context.js'
import type { ItemIntake, ParsedItems } from './item-intake.js'
import type { RejectedCount, RejectedEntry, RejectedItems } from './rejected-items.js'
import { digestContents } from './request-digest.js'
import { toStoredAnswer } from './stored-answer.js'

/** Seconds after which a client comes back whose first request is still under way. */
const RETRY_UNDER_WAY = 1

export interface IntakeResult {
  answer: IntakeAnswer
  /** Whether the delivery that the client waited for has come. */
  delivered: boolean
  /** Whether this is the answer that an earlier request with the same idempotency key got. */
  replayed: boolean
}

/** Counts accepted and invalid items; called synchronously, must not throw. */
export interface IntakeObserver {
  onAccepted (kind: Kind, items: number): void
  onInvalid (kind: Kind, reason: InvalidItemReason, items: number): void
}

/** The outcomes of some items of one request. */
export interface DeliveryReceipt {
  /** False when the time ran out before every item had its outcome. */
  settled: boolean
  /** AWS's id of a call that delivered items of the request. */
  requestId: string | null
  /** The first items that were not delivered. */
  rejected: RejectedEntry[]
  /** By reason: all items that were not delivered. */
  rejectedCount: RejectedCount
}

/** Tells a request about the delivery of its items, in this process or another. */
export interface DeliveryReceipts {
  /** Starts before the append, as the delivery may follow at once; `cancel` ends the wait when the append fails. */
  wait (requestId: string, items: number, timeoutMs: number): { receipt: Promise<DeliveryReceipt>, cancel: () => void }
}

/** The valid items of a request for one destination, as records. */
export interface PreparedAppend {
  append: KeyedAppend
  items: number
  /** The id of the receipt, when the client waits for the delivery. */
  receiptId: string
  /** To be called when the records are in the spool and were not there before. */
  stored (): void
}

/** Stores the valid items of a request, and says what became of each item. */
export class Intake {
  readonly #spool: Spool
  readonly #receipts: DeliveryReceipts
  readonly #observer: IntakeObserver

  constructor (spool: Spool, receipts: DeliveryReceipts, observer: IntakeObserver) {
    this.#spool = spool
    this.#receipts = receipts
    this.#observer = observer
  }

  /**
   * Resolves after the durable append or, when the client waits, after the delivery.
   * @throws ApiError when the request is refused as a whole, or every item is invalid
   * @throws SpoolFullError
   * @throws SpoolUnavailableError
   */
  async accept<Request, Item> (
    kind: ItemIntake<Request, Item>, request: Request, context: IntakeContext
  ): Promise<IntakeResult> {
    const lookingUp = kind.lookUp?.(request, context)
    if (lookingUp !== undefined) await lookingUp
    const digest = context.idempotencyKey === undefined ? '' : digestContents([kind.contentOf(request)])
    const parsed = this.parse(kind, request, context)
    if (parsed.valid.length === 0) throw allItemsRejected(parsed.invalid)
    const collapsing = kind.collapse?.(parsed, context)
    if (collapsing !== undefined) await collapsing
    const prepared = this.#encode(kind, parsed, context, '')
    if (context.idempotencyKey !== undefined || context.wait > 0) {
      return await this.store([prepared], parsed.invalid, context, digest)
    }
    await this.#spool.append(prepared.append)
    prepared.stored()
    return { answer: toAnswer(context, prepared.items, parsed.invalid), delivered: false, replayed: false }
  }

  /**
   * Checks the items for one destination, and counts the invalid ones.
   * @throws ApiError when the destination is refused
   */
  parse<Request, Item> (kind: ItemIntake<Request, Item>, request: Request, context: IntakeContext): ParsedItems<Item> {
    const parsed = kind.parse(request, context)
    const { invalid } = parsed
    if (invalid.total > 0) {
      for (const [reason, items] of Object.entries(invalid.count)) {
        this.#observer.onInvalid(kind.kind, reason as InvalidItemReason, items)
      }
      kind.refused(invalid.total, context)
    }
    return parsed
  }

  /**
   * Encodes the valid items for one destination, of which there is at least one.
   * @param part tells it from others of the same request, and is the same in a repeated request
   */
  async prepare<Request, Item> (
    kind: ItemIntake<Request, Item>, parsed: ParsedItems<Item>, context: IntakeContext, part: string
  ): Promise<PreparedAppend> {
    await kind.collapse?.(parsed, context)
    return this.#encode(kind, parsed, context, part)
  }

  #encode<Request, Item> (
    kind: ItemIntake<Request, Item>, parsed: ParsedItems<Item>, context: IntakeContext, part: string
  ): PreparedAppend {
    const { destination, valid, indexes } = parsed
    const waits = context.wait > 0
    const records = kind.encode(parsed, waits ? { id: context.requestId, indexes } : undefined)
    return {
      append: { kind: kind.kind, destination, records, urgent: waits, part, application: context.application.id },
      items: valid.length,
      receiptId: context.requestId,
      stored: () => {
        this.#observer.onAccepted(kind.kind, valid.length)
        kind.stored(parsed, records.reduce((sum, { bytes }) => sum + bytes, 0), context)
      }
    }
  }

  /**
   * Stores the prepared records of one request.
   * @throws ApiError when its idempotency key is that of another request, or of one that is under way
   * @throws SpoolFullError
   * @throws SpoolUnavailableError
   */
  async store (
    prepared: PreparedAppend[], rejected: RejectedItems, context: IntakeContext, digest: string
  ): Promise<IntakeResult> {
    const { wait } = context
    const answer = toAnswer(context, prepared.reduce((sum, { items }) => sum + items, 0), rejected)
    const waiting = wait === 0
      ? []
      : prepared.map(({ receiptId, items }) => this.#receipts.wait(receiptId, items, wait * 1000))
    const cancel = (): void => { for (const { cancel } of waiting) cancel() }
    const outcome = await this.#append(prepared, answer, context, digest).catch((error: unknown) => {
      cancel()
      throw error
    })
    if ('replayed' in outcome) {
      cancel()
      return { answer: outcome.replayed, delivered: false, replayed: true }
    }
    if (waiting.length === 0) {
      if (outcome.finish !== null) await outcome.finish()
      return { answer, delivered: false, replayed: false }
    }
    const receipts = await Promise.all(waiting.map(({ receipt }) => receipt))
    const delivered = receipts.every(({ settled }) => settled)
    const final = withReceipts(answer, rejected, receipts, delivered)
    await outcome.finish?.(toStoredAnswer(final))
    return { answer: final, delivered, replayed: false }
  }

  /** @throws ApiError, SpoolFullError, SpoolUnavailableError */
  async #append (
    prepared: PreparedAppend[], answer: IntakeAnswer, context: IntakeContext, digest: string
  ): Promise<{ replayed: IntakeAnswer } | { finish: ((answer?: string) => Promise<void>) | null }> {
    const { application, idempotencyKey, wait } = context
    if (idempotencyKey === undefined) {
      if (prepared.length === 1) await this.#appendOne(prepared[0]!)
      else await Promise.all(prepared.map(each => this.#appendOne(each)))
      return { finish: null }
    }
    const result = await this.#spool.appendOnce(prepared.map(({ append }) => append), {
      application: application.id,
      key: idempotencyKey,
      digest,
      answer: toStoredAnswer(answer),
      holdMs: KEY_HOLD_MS + wait * 1000
    })
    if (result.state === 'reused') throw new ApiError('idempotencyKeyReused')
    if (result.state === 'under-way') throw new ApiError('requestUnderWay', { retryAfter: RETRY_UNDER_WAY })
    if (result.state === 'answered') return { replayed: JSON.parse(result.answer) as IntakeAnswer }
    for (const { stored } of prepared) stored()
    return { finish: result.finish }
  }

  async #appendOne ({ append, stored }: PreparedAppend): Promise<void> {
    await this.#spool.append(append)
    stored()
  }
}

function toAnswer ({ requestId }: IntakeContext, accepted: number, rejected: RejectedItems): IntakeAnswer {
  return { ResponseMetadata: { RequestId: requestId }, accepted, ...rejected.toJSON() }
}

export function allItemsRejected (invalid: RejectedItems): ApiError {
  return new ApiError('allItemsRejected', { body: { accepted: 0, ...invalid.toJSON() } })
}

/** The answer to a client that has waited. AWS's id is that of the first destination, once all are delivered. */
function withReceipts (
  answer: IntakeAnswer, rejected: RejectedItems, receipts: DeliveryReceipt[], delivered: boolean
): IntakeAnswer {
  const accepted = answer.accepted + rejected.total
  for (const receipt of receipts) rejected.merge(receipt.rejected, receipt.rejectedCount)
  const requestId = receipts.length === 1 || delivered ? receipts[0]!.requestId : null
  return {
    ResponseMetadata: { RequestId: requestId ?? answer.ResponseMetadata.RequestId },
    accepted: accepted - rejected.total,
    ...rejected.toJSON()
  }
}
