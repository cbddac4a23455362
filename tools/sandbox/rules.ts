import type { ServerResponse } from 'node:http'
import { Random } from '../shared/random.js'

const DEFAULT_SEED = 1

/** The fields of every rule, whatever it does to a call. */
export interface CommonRule {
  kind: string
  /** Probability with which a call that meets the conditions is hit, 0 to 1. Absent: 1. */
  share?: number
  /** The rule is gone after it has hit this many calls. Absent: it stays. */
  count?: number
}

/** Rules that are tried one after the other on each call, and the calls that they hold. */
export class Rules<Rule extends CommonRule, Target> {
  #rules: Rule[] = []
  #random = new Random(DEFAULT_SEED)
  readonly #hanging = new Set<ServerResponse>()

  constructor (readonly matches: (rule: Rule, target: Target) => boolean) {}

  /** Replaces the rules, which are tried in this order, and cuts the calls that hang. */
  replace (rules: Rule[], seed = DEFAULT_SEED): void {
    this.release()
    this.#rules = rules.map(rule => ({ ...rule }))
    this.#random = new Random(seed)
  }

  /** Removes the rules, and cuts the calls that hang. */
  clear (): void {
    this.replace([])
  }

  /** Rules that can still fire, with the counts that are left. */
  left (): Rule[] {
    return this.#rules.map(rule => ({ ...rule }))
  }

  /** The rules that fire for this call: delays, and at most one that ends it. */
  draw (target: Target): Rule[] {
    const fired: Rule[] = []
    for (const rule of this.#rules) {
      if (!this.matches(rule, target) || (rule.share !== undefined && !this.#random.chance(rule.share))) continue
      if (rule.count !== undefined) rule.count -= 1
      fired.push(rule)
      if (rule.kind !== 'delay') break
    }
    this.#rules = this.#rules.filter(({ count }) => count !== 0)
    return fired
  }

  /** Leaves the call without an answer until the rules are replaced or the client goes away. */
  hang (response: ServerResponse): void {
    this.#hanging.add(response)
    response.once('close', () => this.#hanging.delete(response))
  }

  /** Cuts the calls that hang. */
  release (): void {
    for (const response of this.#hanging) response.destroy()
    this.#hanging.clear()
  }
}
