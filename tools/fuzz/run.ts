import fc from 'fast-check'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { createClient, type Client } from './fuzz-client.js'
import { operationsOf, readDocument } from './document.js'
import { createJudge } from './judge.js'
import { requests, type Credentials, type FuzzRequest } from './requests.js'

/** Requests that share one set of tokens, and are held in memory together. */
const ROUND = 250
const CONNECTIONS = 16
const SHOWN_CHARACTERS = 600
const MAX_FAULTS = 50

export interface FuzzOptions {
  url: string
  clientSecret: string
  adminToken: string
  requests: number
  /** The same seed gives the same requests, apart from tokens and times. */
  seed: number
  /** Called after each round. */
  onProgress?: (done: number, result: FuzzResult) => void | Promise<void>
}

export interface Fault { description: string, request: string, answer: string }

export interface FuzzResult {
  requests: number
  byStatus: Record<string, number>
  /** Answers 5xx, except 503 of `/health/ready`. */
  serverErrors: number
  /** Answers that openapi.json does not foresee. */
  mismatches: number
  /** Connections that ended without an answer, though the body was small. */
  unanswered: number
  /** The first faults. */
  faults: Fault[]
}

/** Variables that a deployment would set too, and variables that let the fuzzer go as fast as it can. */
export const FUZZ_ENVIRONMENT = {
  ALLOWED_NAMESPACES: 'fuzz,fuzz/*',
  ALLOWED_LOG_GROUPS: '/fuzz*',
  EMF: 'allow',
  TRUST_PROXY: '1',
  RATE_LIMIT_PER_MINUTE: '0',
  FAILURES_PER_MINUTE: '0',
  MAX_EVENT_LOOP_DELAY_MS: '0'
}

const shown = (text: string): string => text.length > SHOWN_CHARACTERS
  ? `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`
  : text

function describe ({ method, path, headers, body }: FuzzRequest): string {
  return shown(
    `${method} ${path} ${JSON.stringify({ ...headers, authorization: headers.authorization?.slice(0, 12) })} ` +
      `${body === null ? '' : JSON.stringify(body.toString('latin1'))}`
  )
}

/** The seed of a round, far from those of other seeds, so that two runs do not share their rounds. */
const seedOf = (seed: number, round: number): number => (Math.imul(seed, 0x9e3779b1) + round) | 0

/** @throws Error when the gateway gives no token */
async function trade (client: Client, { clientSecret, adminToken }: FuzzOptions, salt: string): Promise<Credentials> {
  const clientToken = createClientToken(clientSecret, Date.now(), salt)
  const body = Buffer.from(JSON.stringify({ clientToken }))
  const answer = await client.send({
    method: 'POST',
    path: '/token',
    headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
    body
  })
  if (answer?.status !== 201) throw new Error(`no token: ${answer?.status ?? 'no answer'} ${answer?.body ?? ''}`)
  return {
    access: (JSON.parse(answer.body) as { accessToken: string }).accessToken,
    client: clientToken,
    admin: adminToken
  }
}

/**
 * Sends requests made of openapi.json, and holds every answer against it.
 * @throws Error when the gateway gives no token
 */
export async function fuzz (options: FuzzOptions): Promise<FuzzResult> {
  const document = readDocument()
  const operations = operationsOf(document)
  const judge = createJudge(document, operations)
  const client = createClient(options.url, CONNECTIONS)
  const result: FuzzResult = { requests: 0, byStatus: {}, serverErrors: 0, mismatches: 0, unanswered: 0, faults: [] }

  async function sendOne (request: FuzzRequest): Promise<void> {
    const answer = await client.send(request)
    result.requests++
    const status = String(answer?.status ?? 'cut off')
    result.byStatus[status] = (result.byStatus[status] ?? 0) + 1
    const description = judge.fault(request, answer)
    if (description === null) return
    if (answer === null) result.unanswered++
    else if (answer.status >= 500) result.serverErrors++
    else result.mismatches++
    if (result.faults.length === MAX_FAULTS) return
    result.faults.push({
      description, request: describe(request), answer: shown(`${status} ${answer?.body ?? ''}`)
    })
  }

  async function sendAll (queue: FuzzRequest[]): Promise<void> {
    const work = async (): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) await sendOne(next)
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, work))
  }

  try {
    for (let round = 0; result.requests < options.requests; round++) {
      const credentials = await trade(client, options, String(round))
      const numRuns = Math.min(ROUND, options.requests - result.requests)
      await sendAll(fc.sample(requests(document, operations, credentials), {
        numRuns,
        seed: seedOf(options.seed, round)
      }))
      await options.onProgress?.(result.requests, result)
    }
  } finally {
    client.close()
  }
  return result
}
