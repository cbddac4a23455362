import { REJECTION_REASONS, type Ledger, type RejectionReason } from '../../schemas/reasons.js'

export interface StoredLedger {
  accepted: number
  delivered: number
  rejected: Record<string, number>
  deadLettered: number
  evicted: number
}

/** The ledger as the contract has it, from what a backend has counted. */
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
