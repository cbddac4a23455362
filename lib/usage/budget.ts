import { BUDGETS, type Application, type BudgetName } from '../../schemas/applications.js'

/** How far a daily budget is used up. */
export interface BudgetState {
  budget: BudgetName
  limit: number
  /** The used part of the limit; the budget is spent at 1. */
  share: number
}

/** The budget that is used up furthest, once it has reached the soft limit; null while none has. */
export function tightestBudget ({ budgets }: Application, used: Record<BudgetName, number>): BudgetState | null {
  let tightest: BudgetState | null = null
  for (const budget of BUDGETS) {
    const limit = budgets.daily[budget]
    if (limit === undefined) continue
    const share = used[budget] / limit
    if (share >= Math.min(1, budgets.soft) && share > (tightest?.share ?? -1)) tightest = { budget, limit, share }
  }
  return tightest
}

export function hasBudget ({ budgets }: Application): boolean {
  return BUDGETS.some(budget => budgets.daily[budget] !== undefined)
}
