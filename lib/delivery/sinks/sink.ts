import type { FailureClass } from '../../resilience/failure.js'
import type { RejectionReason } from '../../../schemas/reasons.js'
import type { ReceiptUpdate } from '../receipts.js'
import type { Lease, Settlement } from '../../spool/spool.js'
import type { Kind } from '../../../schemas/kinds.js'

/** One call to the API behind a sink, as it is counted and logged; never holds a payload. */
export interface SinkCall {
  /** The API's own name of the action: PutLogEvents, PutMetricData, CreateLogGroup … */
  api: string
  destination: string
  items: number
  /** Share of the batch limit that the call used, 0 to 1; 0 for calls that carry no items. */
  fill: number
  durationMs: number
  /** Null when the call succeeded. */
  failure: FailureClass | null
}

export interface DeliveryFailure {
  class: FailureClass
  /** The name of the error, or its code when the network has failed. */
  name?: string
  /** The API's own message. */
  message: string
  /** The server's hint, in milliseconds. */
  retryAfterMs?: number
}

export interface Delivery {
  /** Accounts for every item of the lease; the items to be tried again are in its remainder. */
  settlement: Settlement
  /** The failure that ended the delivery; null when no item is left to be tried again. */
  failure: DeliveryFailure | null
  /** For the requests that wait for these items. */
  receipts: ReceiptUpdate[]
}

export interface DeliverContext {
  /**
   * Aborted when the process has to end: stop at the next safe point, and put the undelivered items into the remainder.
   */
  signal: AbortSignal
  /**
   * Called right before each API call, so that the lease does not run out meanwhile. False when the lease has run out:
   * another process may have the records, and none of their items must be sent.
   */
  extend (): Promise<boolean>
  onCall (call: SinkCall): void
  /**
   * Whether the delivery waits for a log group or log stream to be made: it then holds no place among the deliveries
   * under way.
   */
  standAside (aside: boolean): void
  /** Log events that CloudWatch rejected one by one. */
  onRejected (destination: string, reason: RejectionReason, count: number): void
}

/**
 * Delivers the records of one lease. Never throws for anything that the API, the network or a stored record can do:
 * each of these ends in the settlement.
 */
export interface Sink {
  kind: Kind
  deliver (lease: Lease, context: DeliverContext): Promise<Delivery>
}
