const FAULT_KINDS = ['throttle', 'error', 'delay', 'hang', 'reset', 'refuse', 'garbage'] as const
export type FaultKind = typeof FAULT_KINDS[number]

/** A rule for calls that fail. A rule without a condition concerns every call. */
export interface FaultRule {
  /**
   * - throttle: ThrottlingException (400)
   * - error: a 5xx answer, see status and code
   * - delay: serve after delayMs; the rules after it are still tried
   * - hang: no answer until the rules are replaced
   * - reset: cut the connection
   * - refuse: a 400 answer, AccessDeniedException or code
   * - garbage: 200 with a body that is not JSON
   */
  kind: FaultKind
  /** Conditions: all that are given have to hold. */
  action?: string
  logGroupName?: string
  namespace?: string
  /** A text that one of the call's log events holds. */
  messageIncludes?: string
  /** The name of the metric of one of the call's datums. */
  metricName?: string
  /** Probability with which a call that meets the conditions is hit, 0 to 1. Absent: 1. */
  share?: number
  /** The rule is gone after it has hit this many calls. Absent: it stays. */
  count?: number
  /** The status of a fault of kind error. Absent: 500. */
  status?: 500 | 502 | 503 | 504
  /** The name of the error of a fault of kind error or refuse. */
  code?: string
  message?: string
  /** The delay of a fault of kind delay. */
  delayMs?: number
  /** Whether the call is served first, and only its answer is lost, replaced or delayed. */
  afterStore?: boolean
}

/** A rate of one action beyond which calls are throttled. */
export interface RateLimit {
  action: string
  perSecond: number
}

export interface FaultPlan {
  rules?: FaultRule[]
  rateLimit?: RateLimit | RateLimit[]
  /** The seed of the random numbers behind `share`. */
  seed?: number
}

export type Check = (value: unknown) => boolean

export const isText: Check = value => typeof value === 'string' && value !== ''
export const isPositive: Check = value => typeof value === 'number' && value > 0
export const isCount: Check = value => Number.isInteger(value) && (value as number) > 0

const RULE_FIELDS: Record<keyof FaultRule, [Check, string]> = {
  kind: [value => (FAULT_KINDS as readonly unknown[]).includes(value), `one of ${FAULT_KINDS.join(', ')}`],
  action: [isText, 'the name of an action'],
  logGroupName: [isText, 'a name'],
  namespace: [isText, 'a name'],
  messageIncludes: [isText, 'a text'],
  metricName: [isText, 'a name'],
  share: [value => typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1'],
  count: [isCount, 'a positive integer'],
  status: [value => [500, 502, 503, 504].includes(value as number), 'one of 500, 502, 503, 504'],
  code: [isText, 'the name of an error'],
  message: [isText, 'a text'],
  delayMs: [isPositive, 'a positive number'],
  afterStore: [value => typeof value === 'boolean', 'true or false']
}

/** @throws TypeError naming the member that is not known or not what it has to be */
export function requireFields (
  value: unknown, fields: Record<string, [Check, string]>, path: string
): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new TypeError(`${path} must be an object`)
  }
  for (const [name, member] of Object.entries(value)) {
    const field = fields[name]
    if (field === undefined) {
      throw new TypeError(`${path}.${name} is not known; known are ${Object.keys(fields).join(', ')}`)
    }
    if (!field[0](member)) throw new TypeError(`${path}.${name} must be ${field[1]}`)
  }
  return value as Record<string, unknown>
}

function requireRule (value: unknown, index: number): void {
  const rule = requireFields(value, RULE_FIELDS, `rules[${index}]`)
  if (rule.kind === undefined) throw new TypeError(`rules[${index}].kind must be ${RULE_FIELDS.kind[1]}`)
  if (rule.kind === 'delay' && rule.delayMs === undefined) {
    throw new TypeError(`rules[${index}].delayMs must be ${RULE_FIELDS.delayMs[1]}`)
  }
}

function requireRateLimit (value: unknown): void {
  const limit = requireFields(value, {
    action: RULE_FIELDS.action,
    perSecond: [isPositive, 'a positive number']
  }, 'rateLimit')
  if (limit.action === undefined || limit.perSecond === undefined) {
    throw new TypeError('rateLimit must have action and perSecond')
  }
}

/**
 * Checks a plan that came as JSON; a list is a plan of rules only.
 * @throws TypeError naming the field that is wrong
 */
export function parseFaultPlan (json: unknown): FaultPlan {
  const plan = requireFields(Array.isArray(json) ? { rules: json } : json, {
    rules: [Array.isArray, 'a list'],
    rateLimit: [value => value !== null && typeof value === 'object', 'an object or a list of them'],
    seed: [Number.isInteger, 'an integer']
  }, 'plan') as FaultPlan
  plan.rules?.forEach(requireRule)
  if (plan.rateLimit !== undefined) [plan.rateLimit].flat().forEach(requireRateLimit)
  return plan
}
