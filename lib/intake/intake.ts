import type { IntakeAnswer } from '../../schemas/intake.js'
import type { Kind } from '../../schemas/kinds.js'
import type { InvalidItemReason } from '../../schemas/reasons.js'
import { ApiError } from '../http/api-error.js'
import type { Append, Spool } from '../spool/spool.js'
import type { IntakeContext } from './intake-context.js'
import type { ItemIntake } from './item-intake.js'

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
  onInvalid (kind: Kind, reason: InvalidItemReason): void
}

/** The outcomes of one request's items. */
export interface DeliveryReceipt {
  /** False when the time ran out before every item had its outcome. */
  settled: boolean
  /** AWS's id of a call that delivered items of the request. */
  requestId: string | null
  rejected: IntakeAnswer['rejected']
}

/** Tells a request about the delivery of its items, in this process or another. */
export interface DeliveryReceipts {
  /** Starts before the append, as the delivery may follow at once; `cancel` ends the wait when the append fails. */
  wait (requestId: string, items: number, timeoutMs: number): { receipt: Promise<DeliveryReceipt>, cancel: () => void }
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
  async accept<Request, Item> (kind: ItemIntake<Request, Item>, request: Request, context: IntakeContext): Promise<IntakeResult> {
    const parsed = kind.parse(request, context)
    const { destination, valid, indexes, invalid } = parsed
    for (const { reason } of invalid) this.#observer.onInvalid(kind.kind, reason)
    if (valid.length === 0) throw new ApiError('allItemsRejected', { body: { accepted: 0, rejected: invalid } })
    const collapsing = kind.collapse?.(parsed, context)
    if (collapsing !== undefined) await collapsing

    const { requestId } = context
    const waits = context.wait > 0
    const records = kind.encode(parsed, waits ? { id: requestId, indexes } : undefined)
    const answer: IntakeAnswer = { ResponseMetadata: { RequestId: requestId }, accepted: valid.length, rejected: invalid }
    const append: Append = { kind: kind.kind, destination, records, urgent: waits }
    if (context.idempotencyKey !== undefined) append.idempotency = { key: spoolKey(kind.kind, context), answer: JSON.stringify(answer) }

    const waiting = waits ? this.#receipts.wait(requestId, valid.length, context.wait * 1000) : null
    const stored = await this.#spool.append(append).catch((error: unknown) => {
      waiting?.cancel()
      throw error
    })
    if (!stored.stored) {
      waiting?.cancel()
      return { answer: JSON.parse(stored.answer) as IntakeAnswer, delivered: false, replayed: true }
    }
    this.#observer.onAccepted(kind.kind, valid.length)
    kind.stored(parsed, records.reduce((sum, { bytes }) => sum + bytes, 0), context)
    if (waiting === null) return { answer, delivered: false, replayed: false }

    const receipt = await waiting.receipt
    return { answer: withReceipt(answer, receipt), delivered: receipt.settled, replayed: false }
  }
}

/** The idempotency key in the spool: the same key of another application, or for another kind, is another one. */
function spoolKey (kind: Kind, { application, idempotencyKey }: IntakeContext): string {
  return JSON.stringify([application.id, kind, idempotencyKey])
}

function withReceipt (answer: IntakeAnswer, { requestId, rejected }: DeliveryReceipt): IntakeAnswer {
  return {
    ResponseMetadata: { RequestId: requestId ?? answer.ResponseMetadata.RequestId },
    accepted: answer.accepted - rejected.length,
    rejected: [...answer.rejected, ...rejected].sort((a, b) => a.index - b.index)
  }
}
