import type { MeteredCall } from './metered-call.js'

/** Why a call is not metered, as a closed list. */
export const SKIP_REASONS = [
  /** The gateway itself has refused the caller, who is not billed for the call. */
  'turned-away',
  /** The call has no client that could be billed. */
  'anonymous',
  /** The operator does not want calls of this method, path or status metered. */
  'excluded'
] as const
export type SkipReason = typeof SKIP_REASONS[number]

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
    const excluded = methods.has(method) || paths.some(path => url.startsWith(path)) || statuses.has(code) || statuses.has(`${code[0]!}xx`)
    return excluded ? 'excluded' : null
  }
}

function requireStatus (status: string): string {
  const wanted = status.toLowerCase()
  if (!/^[1-5](\d\d|xx)$/.test(wanted)) throw new TypeError(`a status must be like 404 or 4xx, not ${status}`)
  return wanted
}
