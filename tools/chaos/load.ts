import { setTimeout as sleep } from 'node:timers/promises'
import type { UnixMs } from '../../schemas/common.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { HttpClient, type Answer } from './http-client.js'
import { Random } from '../shared/random.js'
import { Traffic, type PlannedRequest } from './traffic.js'

/**
 * - accepted: answered 201; every item has to be delivered or dead-lettered
 * - refused: answered that nothing was stored; no item may be delivered
 * - unknown: no answer, or one that does not say whether items were stored
 */
export type Verdict = 'accepted' | 'refused' | 'unknown'

/** One sending of a request. */
export interface Attempt {
  web: string
  startedAt: UnixMs
  endedAt: number
  /** HTTP status; 0 without an answer. */
  status: number
  /**
   * The code of the error answer with the reasons for which items were refused, or the message of the connection's
   * error.
   */
  error: string
}

export interface SentRequest extends Omit<PlannedRequest, 'body'> {
  verdict: Verdict | null
  /** The attempts that were not answered 201. */
  failures: Attempt[]
  sentAt: UnixMs
  answeredAt: number
  /** When its last attempt had ended. */
  endedAt: number
  /** Whether it was sent again after its answer and not answered as a repeated one. */
  isForgotten: boolean
}

export interface Web {
  name: string
  url: string
}

export interface LoadOptions {
  webs: Web[]
  clientSecret: string
  /** Items per second. */
  rate: number
  seed: number
}

const TICK_MS = 20
const REQUEST_TIMEOUT_MS = 6_000
const MAX_UNDER_WAY = 300
/** A request with a key is given up this long after the load has ended. */
const PATIENCE_MS = 45_000
/** How often in a row a new access token may expire before it is used. */
const MAX_EXPIRED = 3
const RETRY_MS = [100, 600] as const
/** As clients should, a request that was refused waits for as long as its answer says; a run is too short for more. */
const MAX_RETRY_AFTER_MS = 3_000
/** The share of requests with a key that are sent twice at once, and of those sent again after their answer. */
const TWIN_SHARE = 0.1
const ECHO_SHARE = 0.1
/** Codes of error answers. */
export const SPOOL_FULL = '160'
export const SPOOL_UNAVAILABLE = '161'
export const OVERLOADED = '162'
/** Every item is out of CloudWatch's time, as the clock of the gateway has it. */
export const ALL_OUT_OF_TIME: ReadonlySet<string> = new Set(['122 too-old', '122 too-new'])

/** Sends numbered items at a steady rate, whatever the answers are, and remembers the answers. */
export class Load {
  readonly requests: SentRequest[] = []
  /** Answers that a client must never see, whatever fails, in words. */
  readonly surprises: string[] = []
  readonly counts = { repeated: 0, twins: 0, replayed: 0, tokens: 0, heldBack: 0 }
  readonly traffic: Traffic
  readonly #options: LoadOptions
  readonly #client = new HttpClient()
  readonly #random: Random
  readonly #underWay = new Set<Promise<void>>()
  readonly #stop = new AbortController()
  #token: Token | null = null
  #deadline = Infinity
  #running: Promise<void> | null = null
  #turn = 0

  constructor (options: LoadOptions) {
    this.#options = options
    this.#random = new Random(options.seed ^ 0x5eed)
    this.traffic = new Traffic(new Random(options.seed ^ 0x10ad), `run-${options.seed}-${Date.now()}`)
  }

  get accepted (): number {
    return this.#items('accepted')
  }

  start (): void {
    this.#running ??= this.#run()
  }

  /** Ends the sending; resolves when every request under way has its answer or was given up. */
  async finish (): Promise<void> {
    this.#stop.abort()
    this.#deadline = Date.now() + PATIENCE_MS
    await this.#running
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  close (): void {
    this.#stop.abort()
    this.#deadline = 0
    this.#client.close()
  }

  #items (verdict: Verdict): number {
    return this.requests.reduce((sum, request) => request.verdict === verdict ? sum + request.count : sum, 0)
  }

  async #run (): Promise<void> {
    let last = performance.now()
    let owed = 0
    while (!this.#stop.signal.aborted) {
      const now = performance.now()
      // After a standstill of this process the load catches up with a second at most.
      owed = Math.min(owed + (now - last) / 1_000 * this.#options.rate, this.#options.rate)
      last = now
      while (owed > 0) {
        if (this.#underWay.size >= MAX_UNDER_WAY) {
          this.counts.heldBack++
          break
        }
        const planned = this.traffic.request()
        owed -= planned.count
        this.#begin(planned)
      }
      await sleep(TICK_MS)
    }
  }

  #begin ({ body, ...planned }: PlannedRequest): void {
    const request: SentRequest = {
      ...planned,
      verdict: null,
      failures: [],
      sentAt: Date.now(),
      answeredAt: 0,
      endedAt: Infinity,
      isForgotten: false
    }
    this.requests.push(request)
    const work = this.#deliver(request, body)
      .catch((error: Error) => { this.surprises.push(`item ${request.first}: ${error.stack}`) })
      .finally(() => {
        request.endedAt = Date.now()
        this.#underWay.delete(work)
      })
    this.#underWay.add(work)
  }

  async #deliver (request: SentRequest, body: string): Promise<void> {
    if (request.key !== null && this.#random.chance(TWIN_SHARE)) {
      this.counts.twins++
      // Two copies at once: one is stored, and the other is repeated until it gets the same answer.
      await Promise.all([this.#untilAnswered(request, body), this.#untilAnswered(request, body)])
    } else {
      await this.#untilAnswered(request, body)
    }
    request.verdict ??= request.failures.every(saysNothingStored) ? 'refused' : 'unknown'
    if (request.key === null || request.verdict !== 'accepted' || !this.#random.chance(ECHO_SHARE)) return
    const echo = await this.#attempt(request, body)
    request.isForgotten = echo?.status === 201 && echo.headers['idempotency-replayed'] !== 'true'
  }

  async #untilAnswered (request: SentRequest, body: string): Promise<void> {
    for (let expired = 0; ;) {
      const answer = await this.#attempt(request, body)
      if (answer?.status === 201) return this.#accept(request, answer)
      if (answer?.status === 401 && expired++ < MAX_EXPIRED) continue
      if (request.key === null || Date.now() > this.#deadline) return
      this.counts.repeated++
      await sleep(this.#random.int(...RETRY_MS) + Math.min(retryAfterMs(answer), MAX_RETRY_AFTER_MS))
    }
  }

  #accept (request: SentRequest, answer: Answer): void {
    const { accepted, rejected } = JSON.parse(answer.body) as { accepted: number, rejected: object[] }
    if (accepted !== request.count || rejected.length > 0) this.surprises.push(`item ${request.first}: ${answer.body}`)
    if (answer.headers['idempotency-replayed'] === 'true') this.counts.replayed++
    request.verdict = 'accepted'
    request.answeredAt ||= Date.now()
  }

  /** Null when there was no answer. */
  async #attempt (request: SentRequest, body: string): Promise<Answer | null> {
    const web = this.#nextWeb()
    const startedAt = Date.now()
    const fail = (status: number, error: string): void => {
      request.failures.push({ web: web.name, startedAt, endedAt: Date.now(), status, error })
    }
    try {
      const token = this.#token ??= this.#askToken(web)
      const authorization = `Bearer ${await this.#textOf(token)}`
      const answer = await this.#client.send('POST', web.url + request.path, {
        headers: { authorization, ...(request.key === null ? {} : { 'idempotency-key': request.key }) },
        body,
        timeoutMs: REQUEST_TIMEOUT_MS
      })
      if (answer.status !== 201) fail(answer.status, errorCode(answer))
      if (answer.status === 401) this.#forget(token)
      return answer
    } catch (error) {
      if (error instanceof TokenError) request.failures.push(error.attempt)
      else fail(0, (error as Error).message)
      return null
    }
  }

  #nextWeb (): Web {
    const { webs } = this.#options
    return webs[this.#turn++ % webs.length]!
  }

  /** @throws TokenError */
  async #textOf (token: Token): Promise<string> {
    try {
      return await token.text
    } catch (error) {
      this.#forget(token)
      throw error
    }
  }

  /** Drops the token, unless a request has asked for a new one already. */
  #forget (token: Token): void {
    if (this.#token === token) this.#token = null
  }

  #askToken (web: Web): Token {
    this.counts.tokens++
    return { text: this.#createToken(web) }
  }

  async #createToken ({ name, url }: Web): Promise<string> {
    const startedAt = Date.now()
    const fail = (status: number, error: string): TokenError => new TokenError({
      web: name,
      startedAt,
      endedAt: Date.now(),
      status,
      error
    })
    const clientToken = createClientToken(this.#options.clientSecret, Date.now(), 'chaos')
    const answer = await this.#client.send('POST', `${url}/token`, {
      body: JSON.stringify({ clientToken }),
      timeoutMs: REQUEST_TIMEOUT_MS
    })
      .catch((error: Error) => { throw fail(0, `no token: ${error.message}`) })
    if (answer.status !== 201) throw fail(answer.status, errorCode(answer))
    return (JSON.parse(answer.body) as { accessToken: string }).accessToken
  }
}

/** An access token that all requests share until it is refused. */
interface Token {
  text: Promise<string>
}

/** No token was given, so the requests that have waited for it were never sent. */
class TokenError extends Error {
  override name = 'TokenError'
  readonly attempt: Attempt

  constructor (attempt: Attempt) {
    super(attempt.error)
    this.attempt = attempt
  }
}

/** Whether the answer says that nothing was stored; without an answer of gateway and store nobody knows. */
export function saysNothingStored ({ status, error }: Attempt): boolean {
  return status >= 400 && status !== 500 && error !== SPOOL_UNAVAILABLE
}

function errorCode ({ body }: Answer): string {
  try {
    const { error, rejected = [] } = JSON.parse(body) as {
      error: { code: number }, rejected?: Array<{ reason: string }>
    }
    return [error.code, ...new Set(rejected.map(({ reason }) => reason))].join(' ')
  } catch {
    return body.slice(0, 100)
  }
}

function retryAfterMs (answer: Answer | null): number {
  return Number(answer?.headers['retry-after'] ?? 0) * 1_000
}
