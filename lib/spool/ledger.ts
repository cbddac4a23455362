import { REJECTION_REASONS, type Ledger, type RejectionReason } from '../../schemas/reasons.js'

/** The counts that a backend stores; the items in the spool follow from its records. */
export interface StoredLedger {
  accepted: number
  delivered: number
  rejected: Record<string, number>
  deadLettered: number
  evicted: number
}

/** The ledger of the contract, from the counts of a backend. */
export function createLedger (stored: StoredLedger, inSpool: number): Ledger {
  const { accepted, delivered, rejected, deadLettered, evicted } = stored
  return {
    accepted,
    delivered,
    rejected: byReason(reason => rejected[reason] ?? 0),
    deadLettered,
    evicted,
    inSpool
  }
}

function byReason (count: (reason: RejectionReason) => number): Record<RejectionReason, number> {
  return Object.fromEntries(REJECTION_REASONS.map(reason => [reason, count(reason)])) as Record<RejectionReason, number>
}
