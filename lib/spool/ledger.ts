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
    rejected: Object.fromEntries(REJECTION_REASONS.map(reason => [reason, rejected[reason] ?? 0])) as Record<RejectionReason, number>,
    deadLettered,
    evicted,
    inSpool
  }
}
