import type { MeteredCall } from './metered-call.js'

/** Why a call is not metered, as a closed list. */
export const SKIP_REASONS = [
  /** The gateway itself has refused the call, for which nobody is billed. */
  'turned-away',
  /** The call has no client that could be billed. */
  'anonymous',
  /** The operator does not want calls of this method, path or status metered. */
  'excluded'
] as const
export type SkipReason = typeof SKIP_REASONS[number]

export interface SkippedCalls {
  message: string
  skipped: Partial<Record<SkipReason, number>>
  hint?: string
}

/** Tells that every line was skipped, as happens when a log format lacks keys; null when a line was not skipped. */
export function allSkipped (
  { calls, duplicates, skipped, unreadable }: {
    calls: unknown[]
    duplicates: number
    skipped: Partial<Record<SkipReason, number>>
    unreadable: unknown[]
  }
): SkippedCalls | null {
  const counts = Object.fromEntries(Object.entries(skipped).filter(([, count]) =>
    count > 0)) as Partial<Record<SkipReason, number>>
  if (calls.length + duplicates + unreadable.length > 0 || Object.keys(counts).length === 0) return null
  return {
    message: 'every line was skipped, and nothing is metered',
    skipped: counts,
    ...(counts.anonymous !== undefined && {
      hint: 'no line has a clientId or principalId: is it in the log format, and does the authorizer set it?'
    })
  }
}

export interface CallFilterOptions {
  /** Meter calls that the gateway has refused, too. Absent: no. */
  turnedAway?: boolean
  /** Meter calls without a client id, too. Absent: no. */
  anonymous?: boolean
  /** Such as OPTIONS. */
  excludeMethods?: string[]
  /** Prefixes of paths, such as `/prod/health`. */
  excludePaths?: string[]
  /** Statuses such as `404`, or classes of statuses such as `5xx`. */
  excludeStatuses?: string[]
}

/** Why this call is not metered; null when it is. */
export type CallFilter = (call: MeteredCall) => SkipReason | null

/** @throws TypeError naming the status that is not one of HTTP */
export function createCallFilter (options: CallFilterOptions = {}): CallFilter {
  const methods = new Set(options.excludeMethods?.map(method => method.toUpperCase()))
  const paths = options.excludePaths ?? []
  const statuses = new Set(options.excludeStatuses?.map(requireStatus))
  return ({ turnedAway, application, method = '', url = '', responseCode }) => {
    if (turnedAway && options.turnedAway !== true) return 'turned-away'
    if (application === undefined && options.anonymous !== true) return 'anonymous'
    const code = String(responseCode)
    const excluded = methods.has(method) || paths.some(path => url.startsWith(path)) || statuses.has(code) ||
      statuses.has(`${code[0]!}xx`)
    return excluded ? 'excluded' : null
  }
}

function requireStatus (status: string): string {
  const wanted = status.toLowerCase()
  if (!/^[1-5](\d\d|xx)$/.test(wanted)) throw new TypeError(`a status must be like 404 or 4xx, not ${status}`)
  return wanted
}
