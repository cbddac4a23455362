import { AwsError } from './aws-error.js'
import type { FaultPlan, FaultRule, RateLimit } from './fault-plan.js'
import type { Input } from './input.js'
import { Rules } from './rules.js'

/** The call that rules are matched against. */
export interface FaultTarget {
  action: string
  input: Input
}

/** Tokens up to one second's worth, refilled as time goes by. */
class TokenBucket {
  #tokens: number
  #filledAt: number

  constructor (readonly limit: RateLimit, readonly now: () => number) {
    this.#tokens = this.#capacity
    this.#filledAt = now()
  }

  get #capacity (): number {
    return Math.max(1, this.limit.perSecond)
  }

  take (): boolean {
    const now = this.now()
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) / 1_000 * this.limit.perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}

/** Decides which calls fail, and holds those that hang. */
export class Faults extends Rules<FaultRule, FaultTarget> {
  #buckets: TokenBucket[] = []

  constructor (readonly now: () => number) {
    super(matches)
  }

  /** Replaces all rules and limits; calls that hang are cut. Rules are tried in this order. */
  set (plan: FaultPlan | FaultRule[]): void {
    const { rules = [], rateLimit = [], seed } = Array.isArray(plan) ? { rules: plan } : plan
    this.clear()
    this.replace(rules, seed)
    this.#buckets = [rateLimit].flat().map(limit => new TokenBucket(limit, this.now))
  }

  /** Removes all rules and limits, and cuts the calls that hang. */
  override clear (): void {
    super.clear()
    this.#buckets = []
  }

  /** Rules that can still fire, with the counts that are left, and the limits. */
  list (): Required<Pick<FaultPlan, 'rules'>> & { rateLimit: RateLimit[] } {
    return { rules: this.left(), rateLimit: this.#buckets.map(({ limit }) => ({ ...limit })) }
  }

  /**
   * The rules that fire for this call: delays, and at most one that ends it.
   */
  override draw (target: FaultTarget): FaultRule[] {
    const limited = this.#buckets.find(bucket => bucket.limit.action === target.action)
    if (limited !== undefined && !limited.take()) return [{ kind: 'throttle' }]
    return super.draw(target)
  }
}

function matches (rule: FaultRule, { action, input }: FaultTarget): boolean {
  return (rule.action === undefined || rule.action === action) &&
    (rule.logGroupName === undefined || rule.logGroupName === input.logGroupName) &&
    (rule.namespace === undefined || rule.namespace === input.Namespace) &&
    (rule.messageIncludes === undefined || some(input.logEvents, ({ message }) => typeof message === 'string' &&
      message.includes(rule.messageIncludes!))) &&
    (rule.metricName === undefined || some(input.MetricData, ({ MetricName }) => MetricName === rule.metricName))
}

function some (members: unknown, test: (member: Input) => boolean): boolean {
  return Array.isArray(members) &&
    members.some(member => member !== null && typeof member === 'object' && test(member as Input))
}

const STATUS_CODES: Record<number, string> = {
  500: 'InternalFailure',
  502: 'BadGateway',
  503: 'ServiceUnavailableException',
  504: 'GatewayTimeout'
}

/** The error that a rule of kind throttle, error or refuse answers with. */
export function faultError (rule: FaultRule): AwsError {
  if (rule.kind === 'throttle') return new AwsError(400, 'ThrottlingException', rule.message ?? 'Rate exceeded')
  if (rule.kind === 'error') {
    const status = rule.status ?? 500
    return new AwsError(
      status, rule.code ?? STATUS_CODES[status]!, rule.message ?? 'The service failed to answer the request.'
    )
  }
  return new AwsError(
    400, rule.code ?? 'AccessDeniedException', rule.message ?? 'User is not authorized to perform this action.'
  )
}
