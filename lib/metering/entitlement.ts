import { ageOf } from '../clock.js'
import type { MonotonicMs, UnixMs } from '../../schemas/common.js'
import { DEFAULT_VERDICT_AGES, type FailMode, type VerdictAges } from '../../schemas/metering-settings.js'
import type { Failure } from '../resilience/failure.js'
import { CircuitBreaker } from '../resilience/circuit-breaker.js'
import { clientIdError } from './client-id.js'
import type { Platform, PlatformAnswer } from './platform.js'
import { failureOfAnswer, failureOfError } from './platform-failure.js'
import { Verdicts, type KnownVerdict, type Verdict, type VerdictStore } from './verdicts.js'

/** Failures in a row after which the platform is left alone, and for how long. */
const BREAKER = { failureThreshold: 5, openDurationMs: 10_000 }
/** The longest that the platform is left alone because it asks for it: every client is turned away meanwhile. */
const MAX_RETRY_AFTER_MS = 30_000
const DEFAULT_MAX_CLIENTS = 10_000

export interface Decision {
  allowed: boolean
  verdict: Verdict | 'unknown'
  /**
   * - rule: the client id cannot be one; nobody was asked
   * - cached: a verdict that is new enough, or that is being renewed
   * - asked: the platform has just answered
   * - outage: the platform does not answer; this is its last verdict
   * - fail-mode: no verdict is known
   */
  basis: 'rule' | 'cached' | 'asked' | 'outage' | 'fail-mode'
  /** The broken rule for basis rule; the failure of the platform for the bases outage and fail-mode. */
  reason?: string
}

/** Says whether a client may call. */
export interface Entitlement {
  /** Never throws. */
  check (clientId: string | undefined): Promise<Decision>
  /** Resolves when nothing is being renewed. */
  settled (): Promise<void>
}

export interface EntitlementOptions {
  /** Its base URL is that of `/product-key`. */
  platform: Platform
  failMode: FailMode
  now: () => UnixMs
  /** For how long the platform is left alone. */
  monotonicNow: () => MonotonicMs
  ages?: VerdictAges | undefined
  maxClients?: number
  /** Shares verdicts between processes. */
  store?: VerdictStore | undefined
  /** The platform could not say; class `denied` is for the operator to mend. */
  onUnknown: (failure: Failure) => void
  onStoreError?: (error: unknown) => void
}

export function createEntitlement (options: EntitlementOptions): Entitlement {
  return new PlatformEntitlement(options)
}

class PlatformEntitlement implements Entitlement {
  readonly #options: EntitlementOptions
  readonly #ages: VerdictAges
  readonly #verdicts: Verdicts
  readonly #breaker: CircuitBreaker
  /** One question for each client, however many wait for the answer. */
  readonly #asking = new Map<string, Promise<KnownVerdict | Failure>>()

  constructor (options: EntitlementOptions) {
    this.#options = options
    this.#ages = options.ages ?? DEFAULT_VERDICT_AGES
    this.#breaker = new CircuitBreaker({ ...BREAKER, now: options.monotonicNow })
    this.#verdicts = new Verdicts({
      maxClients: options.maxClients ?? DEFAULT_MAX_CLIENTS,
      store: options.store,
      onStoreError: options.onStoreError ?? (() => {})
    })
  }

  async check (clientId: string | undefined): Promise<Decision> {
    const rule = clientIdError(clientId)
    if (rule !== null || clientId === undefined) {
      return { allowed: false, verdict: 'denied', basis: 'rule', reason: `the client id ${rule}` }
    }
    const known = await this.#verdicts.get(clientId, verdict => this.#isNew(verdict))
    if (known !== null && this.#isNew(known)) return decide(known.verdict, 'cached')
    const answer = this.#ask(clientId)
    if (known !== null && this.#mayBeStale(known)) return decide(known.verdict, 'cached')
    const learned = await answer
    if ('verdict' in learned) return decide(learned.verdict, 'asked')
    if (known !== null && this.#ageOf(known) < this.#ages.staleIfErrorMs) {
      return { ...decide(known.verdict, 'outage'), reason: learned.message }
    }
    return {
      allowed: this.#options.failMode === 'open',
      verdict: 'unknown',
      basis: 'fail-mode',
      reason: learned.message
    }
  }

  async settled (): Promise<void> {
    await Promise.all(this.#asking.values())
  }

  #isNew (known: KnownVerdict): boolean {
    return this.#ageOf(known) < this.#ages[known.verdict === 'entitled' ? 'entitledMs' : 'deniedMs']
  }

  #mayBeStale (known: KnownVerdict): boolean {
    return known.verdict === 'entitled' && this.#ageOf(known) < this.#ages.entitledMs + this.#ages.staleMs
  }

  #ageOf ({ at }: KnownVerdict): number {
    return ageOf(at, this.#options.now())
  }

  #ask (clientId: string): Promise<KnownVerdict | Failure> {
    const asking = this.#asking.get(clientId)
    if (asking !== undefined) return asking
    const answer = this.#askPlatform(clientId).finally(() => this.#asking.delete(clientId))
    this.#asking.set(clientId, answer)
    return answer
  }

  async #askPlatform (clientId: string): Promise<KnownVerdict | Failure> {
    if (!this.#breaker.allows()) {
      return { class: 'unavailable', message: 'the metering platform has not answered lately' }
    }
    const learned = await this.#request(clientId)
    if (typeof learned !== 'string') {
      this.#breaker.failed(Math.min(learned.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
      this.#options.onUnknown(learned)
      return learned
    }
    this.#breaker.succeeded()
    const known: KnownVerdict = { verdict: learned, at: this.#options.now() }
    await this.#verdicts.set(clientId, known)
    return known
  }

  async #request (clientId: string): Promise<Verdict | Failure> {
    let answer: PlatformAnswer
    try {
      answer = await this.#options.platform.request({
        method: 'GET', path: `/product-key?application=${encodeURIComponent(clientId)}`
      })
    } catch (error) {
      return failureOfError(error)
    }
    const failure = failureOfAnswer(answer)
    if (answer.status === 200 && failure === null) return 'entitled'
    // A question about this id that the platform refuses says nothing about the others.
    if (failure?.class === 'invalid') return 'denied'
    return failure ??
      { class: 'unavailable', message: `HTTP ${answer.status} from the metering platform, which is no verdict` }
  }
}

function decide (verdict: Verdict, basis: Decision['basis']): Decision {
  return { allowed: verdict === 'entitled', verdict, basis }
}
