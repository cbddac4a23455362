import type { Lease, Settlement } from './spool.js'

/** Items of a settlement by their outcome. */
export interface Outcomes {
  delivered: number
  rejected: number
  deadLettered: number
  remaining: number
}

/** @throws Error when the items of the settlement do not add up to the items of the lease */
export function countOutcomes (lease: Lease, settlement: Settlement): Outcomes {
  const outcomes = {
    delivered: settlement.delivered,
    rejected: sum(Object.values(settlement.rejected ?? {})),
    deadLettered: sum((settlement.deadLetters ?? []).map(({ items }) => items)),
    remaining: sum([...settlement.remainder ?? [], ...settlement.unread ?? []].map(record => record.items))
  }
  const leased = sum(lease.records.map(record => record.items))
  const settled = sum(Object.values(outcomes))
  if (settled !== leased) throw new Error(`settlement of ${settled} items for a lease of ${leased}`)
  return outcomes
}

function sum (numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
