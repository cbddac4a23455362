/**
 * What can become of an item, as closed lists: every accepted item ends in exactly one outcome, and every item that
 * is not delivered has exactly one reason.
 */

/** Why the gateway refused an item before it was stored; the answer to the client carries it. */
export const INVALID_ITEM_REASONS = [
  /** Not the shape of an item: wrong type, unknown field, missing field. */
  'invalid-item',
  /** A name is empty, too long, or has characters that CloudWatch refuses. */
  'invalid-name',
  /** A value that CloudWatch refuses: NaN, out of ±2^360, nearer to zero than 2^-360, Counts that do not fit Values. */
  'invalid-value',
  /** A dimension that CloudWatch refuses, or more than 30 of them. */
  'invalid-dimension',
  'invalid-unit',
  'invalid-timestamp',
  /** Further in the past than CloudWatch takes. */
  'too-old',
  /** Further in the future than CloudWatch takes. */
  'too-new',
  /** Larger than CloudWatch takes. */
  'too-large'
] as const
export type InvalidItemReason = typeof INVALID_ITEM_REASONS[number]

/** Why CloudWatch rejected a log event that it was sent: the three fields of `rejectedLogEventsInfo`. */
export const REJECTION_REASONS = ['too-old', 'too-new', 'expired'] as const
export type RejectionReason = typeof REJECTION_REASONS[number]

/** Why an accepted item is kept as a dead letter. */
export const DEAD_LETTER_REASONS = [
  /** The API refused this very item; the message is the API's own. */
  'refused',
  /** The stored record could not be read back. */
  'corrupt'
] as const
export type DeadLetterReason = typeof DEAD_LETTER_REASONS[number]

/**
 * Items counted since the store was made. It always balances:
 * `accepted = delivered + rejected + deadLettered + inSpool`.
 */
export interface Ledger {
  accepted: number
  delivered: number
  rejected: Record<RejectionReason, number>
  /**
   * In the dead letters now, deleted from them by an operator, or evicted from them; a redrive takes them out again.
   */
  deadLettered: number
  /** Items of `deadLettered` that were evicted because the dead letters outgrew their age or bytes. */
  evicted: number
  inSpool: number
}
