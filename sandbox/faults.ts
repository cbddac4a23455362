import type { ServerResponse } from 'node:http'
import { ApiError } from './errors.js'
import type { Input } from './input.js'
import type { FaultPlan, FaultRule, RateLimit } from './fault-plan.js'

const DEFAULT_SEED = 1

/** What a rule is matched against. */
export interface FaultTarget {
  action: string
  input: Input
}

/** Bounded by what it may hold, refilled as time goes by. */
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

/** Mulberry32: the same seed gives the same faults. */
function createRandom (seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Decides which calls fail, and holds those that hang. */
export class Faults {
  #rules: FaultRule[] = []
  #buckets: TokenBucket[] = []
  #random = createRandom(DEFAULT_SEED)
  readonly #hanging = new Set<ServerResponse>()

  constructor (readonly now: () => number) {}

  /** Replaces all rules and limits; what hangs is cut. Rules are tried in this order. */
  set (plan: FaultPlan | FaultRule[]): void {
    const { rules = [], rateLimit = [], seed } = Array.isArray(plan) ? { rules: plan } : plan
    this.clear()
    this.#rules = rules.map(rule => ({ ...rule }))
    this.#buckets = [rateLimit].flat().map(limit => new TokenBucket(limit, this.now))
    this.#random = createRandom(seed ?? DEFAULT_SEED)
  }

  /** No rules, no limits; what hangs is cut. */
  clear (): void {
    this.#rules = []
    this.#buckets = []
    this.release()
  }

  /** Rules that can still fire, with the counts that are left, and the limits. */
  list (): Required<Pick<FaultPlan, 'rules'>> & { rateLimit: RateLimit[] } {
    return { rules: this.#rules.map(rule => ({ ...rule })), rateLimit: this.#buckets.map(({ limit }) => ({ ...limit })) }
  }

  /**
   * The rules that fire for this call: delays, and at most one that ends it.
   */
  draw (target: FaultTarget): FaultRule[] {
    const limited = this.#buckets.find(bucket => bucket.limit.action === target.action)
    if (limited !== undefined && !limited.take()) return [{ kind: 'throttle' }]
    const fired: FaultRule[] = []
    for (const rule of this.#rules) {
      if (!matches(rule, target) || (rule.share !== undefined && this.#random() >= rule.share)) continue
      if (rule.count !== undefined) rule.count -= 1
      fired.push(rule)
      if (rule.kind !== 'delay') break
    }
    this.#rules = this.#rules.filter(({ count }) => count !== 0)
    return fired
  }

  /** Never answers, until the rules are replaced or the client goes away. */
  hang (response: ServerResponse): void {
    this.#hanging.add(response)
    response.once('close', () => this.#hanging.delete(response))
  }

  /** Cuts what hangs. */
  release (): void {
    for (const response of this.#hanging) response.destroy()
    this.#hanging.clear()
  }
}

function matches (rule: FaultRule, { action, input }: FaultTarget): boolean {
  return (rule.action === undefined || rule.action === action) &&
    (rule.logGroupName === undefined || rule.logGroupName === input.logGroupName) &&
    (rule.namespace === undefined || rule.namespace === input.Namespace) &&
    (rule.messageIncludes === undefined || some(input.logEvents, ({ message }) => typeof message === 'string' && message.includes(rule.messageIncludes!))) &&
    (rule.metricName === undefined || some(input.MetricData, ({ MetricName }) => MetricName === rule.metricName))
}

function some (members: unknown, test: (member: Input) => boolean): boolean {
  return Array.isArray(members) && members.some(member => member !== null && typeof member === 'object' && test(member as Input))
}

const STATUS_CODES: Record<number, string> = {
  500: 'InternalFailure',
  502: 'BadGateway',
  503: 'ServiceUnavailableException',
  504: 'GatewayTimeout'
}

/** The error that a rule of kind throttle, error or refuse answers with. */
export function faultError (rule: FaultRule): ApiError {
  if (rule.kind === 'throttle') return new ApiError(400, 'ThrottlingException', rule.message ?? 'Rate exceeded')
  if (rule.kind === 'error') {
    const status = rule.status ?? 500
    return new ApiError(status, rule.code ?? STATUS_CODES[status]!, rule.message ?? 'The service failed to answer the request.')
  }
  return new ApiError(400, rule.code ?? 'AccessDeniedException', rule.message ?? 'User is not authorized to perform this action.')
}
