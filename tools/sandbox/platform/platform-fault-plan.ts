import { isCount, isPositive, isText, requireFields, type Check } from '../fault-plan.js'
import type { CommonRule } from '../rules.js'

const PLATFORM_FAULT_KINDS = ['answer', 'delay', 'hang', 'reset', 'garbage'] as const
export type PlatformFaultKind = typeof PLATFORM_FAULT_KINDS[number]

/** A rule for calls that fail. A rule without a condition concerns every call. */
export interface PlatformFaultRule extends CommonRule {
  /**
   * - answer: this status and these hints, for any call
   * - delay: serve after delayMs; the rules after it are still tried
   * - hang: no answer until the rules are replaced
   * - reset: cut the connection
   * - garbage: a good status with a body that is not JSON
   */
  kind: PlatformFaultKind
  /** Conditions: all that are given have to hold. */
  route?: PlatformRoute
  /** Client id of an event, or of a question. */
  application?: string
  /** The status of a fault of kind answer, 300 to 599. */
  status?: number
  /** The value of the header Retry-After. */
  retryAfterSeconds?: number
  message?: string
  /** The delay of a fault of kind delay. */
  delayMs?: number
  /** Whether the call is served first, and only its answer is lost, replaced or delayed. */
  afterStore?: boolean
}

const PLATFORM_ROUTES = ['meter', 'event', 'requests', 'responses', 'product-key'] as const
export type PlatformRoute = typeof PLATFORM_ROUTES[number]

export interface PlatformFaultPlan {
  rules: PlatformFaultRule[]
  /** The seed of the random numbers behind `share`. */
  seed?: number
}

/** The call that rules are matched against. */
export interface PlatformTarget {
  route: PlatformRoute
  application: string | undefined
}

const FIELDS: Record<keyof PlatformFaultRule, [Check, string]> = {
  kind: [
    value => (PLATFORM_FAULT_KINDS as readonly unknown[]).includes(value), `one of ${PLATFORM_FAULT_KINDS.join(', ')}`
  ],
  route: [value => (PLATFORM_ROUTES as readonly unknown[]).includes(value), `one of ${PLATFORM_ROUTES.join(', ')}`],
  application: [isText, 'a client id'],
  share: [value => typeof value === 'number' && value >= 0 && value <= 1, 'a number from 0 to 1'],
  count: [isCount, 'a positive integer'],
  status: [
    value => Number.isInteger(value) && (value as number) >= 300 && (value as number) <= 599, 'a status from 300 to 599'
  ],
  retryAfterSeconds: [isPositive, 'a positive number'],
  message: [isText, 'a text'],
  delayMs: [isPositive, 'a positive number'],
  afterStore: [value => typeof value === 'boolean', 'true or false']
}

/**
 * Checks a plan that came as JSON; a list is a plan of rules only.
 * @throws TypeError naming the field that is wrong
 */
export function parsePlatformFaults (json: unknown): PlatformFaultPlan {
  const plan = requireFields(Array.isArray(json) ? { rules: json } : json, {
    rules: [Array.isArray, 'a list'],
    seed: [Number.isInteger, 'an integer']
  }, 'plan')
  const rules = (plan.rules ?? []) as unknown[]
  rules.forEach((value, index) => {
    const rule = requireFields(value, FIELDS, `rules[${index}]`)
    if (rule.kind === undefined) throw new TypeError(`rules[${index}].kind must be ${FIELDS.kind[1]}`)
    if (rule.kind === 'answer' && rule.status === undefined) {
      throw new TypeError(`rules[${index}].status must be ${FIELDS.status[1]}`)
    }
    if (rule.kind === 'delay' && rule.delayMs === undefined) {
      throw new TypeError(`rules[${index}].delayMs must be ${FIELDS.delayMs[1]}`)
    }
  })
  return { ...plan, rules: rules as PlatformFaultRule[] }
}

export function matchesTarget (rule: PlatformFaultRule, { route, application }: PlatformTarget): boolean {
  return (rule.route === undefined || rule.route === route) &&
    (rule.application === undefined || rule.application === application)
}
