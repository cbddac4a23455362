import { setMaxListeners } from 'node:events'
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { Writable } from 'node:stream'
import type { ApiKey } from './api-key.js'

/** Of an answer, to tell what is wrong; the rest is read and thrown away. */
const MAX_KEPT_BYTES = 2_048
/** An answer that is longer than this is cut off. */
const MAX_ANSWER_BYTES = 1_048_576
const USER_AGENT = 'cloudwatch-postman'

export interface PlatformRequest {
  method: 'GET' | 'POST'
  /** Below the base URL, with its query. */
  path: string
  body?: object
  idempotencyKey?: string
  signal?: AbortSignal | undefined
}

export interface PlatformAnswer {
  status: number
  headers: Record<string, string>
  /** The beginning of the body. */
  text: string
}

/** The metering platform over HTTP; connections are kept open. */
export interface Platform {
  /**
   * One answer, of whatever status.
   * @throws Error when there is none: the connection fails, the time is over, the signal is aborted, or there is no key
   */
  request (request: PlatformRequest): Promise<PlatformAnswer>
  /** Closes idle connections. May be called twice. */
  close (): void
}

export interface PlatformOptions {
  /** http or https, without query. */
  baseUrl: string
  apiKey: ApiKey
  /** Milliseconds for the whole answer. */
  timeoutMs: number
  /** Connections at once. */
  maxSockets: number
}

/** @throws TypeError when the base URL is none */
export function createPlatform ({ baseUrl, apiKey, timeoutMs, maxSockets }: PlatformOptions): Platform {
  const base = readBaseUrl(baseUrl)
  const secure = base.startsWith('https:')
  const agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets })
  const open: Open = secure ? httpsRequest : httpRequest

  async function attempt (request: PlatformRequest, key: string): Promise<PlatformAnswer> {
    const signal = withTimeout(timeoutMs, request.signal)
    try {
      return await exchange(open, `${base}${request.path}`, request, { agent, key, signal: signal.signal })
    } finally {
      signal.clear()
    }
  }

  return {
    async request (request) {
      const key = await apiKey.get()
      const answer = await attempt(request, key)
      if ((answer.status !== 401 && answer.status !== 403) || !apiKey.refused(key)) return answer
      const renewed = await apiKey.get()
      return renewed === key ? answer : await attempt(request, renewed)
    },
    close: () => agent.destroy()
  }
}

type Open = (url: string, options: RequestOptions) => ClientRequest

function readBaseUrl (baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new TypeError('the address of the platform must be like https://api.example.com/path, without query')
  }
  return url.href.replace(/\/+$/, '')
}

async function exchange (open: Open, url: string, request: PlatformRequest, options: { agent: HttpAgent, key: string, signal: AbortSignal }): Promise<PlatformAnswer> {
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
  const headers: Record<string, string | number> = { 'x-api-key': options.key, accept: 'application/json', 'user-agent': USER_AGENT }
  if (body !== undefined) Object.assign(headers, { 'content-type': 'application/json', 'content-length': body.length })
  if (request.idempotencyKey !== undefined) headers['idempotency-key'] = request.idempotencyKey
  for (;;) {
    const outgoing = open(url, { method: request.method, agent: options.agent, headers, signal: options.signal })
    try {
      const response = await answerTo(outgoing, body)
      return { status: response.statusCode!, headers: flat(response.headers), text: await readBeginning(response) }
    } catch (error) {
      options.signal.throwIfAborted()
      // A connection that was closed while nobody used it says nothing about the platform: once more, on another one.
      if (!(outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET')) throw error
    }
  }
}

async function answerTo (outgoing: ClientRequest, body: Buffer | undefined): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** Reads to the end, so that the connection can be used again. */
async function readBeginning (response: IncomingMessage): Promise<string> {
  const kept: Buffer[] = []
  let size = 0
  await pipeline(response, new Writable({
    write (chunk: Buffer, _encoding, done) {
      if (size < MAX_KEPT_BYTES) kept.push(chunk.subarray(0, MAX_KEPT_BYTES - size))
      size += chunk.length
      done(size > MAX_ANSWER_BYTES ? new Error('the answer of the platform is too long') : null)
    }
  }))
  return Buffer.concat(kept).toString('utf8')
}

function flat (headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** Aborts when the time is over or the outer signal is; `AbortSignal.any` would hold on to the outer one. */
function withTimeout (timeoutMs: number, outer: AbortSignal | undefined): { signal: AbortSignal, clear: () => void } {
  const controller = new AbortController()
  const abort = (): void => controller.abort(outer!.reason)
  const timer = setTimeout(() => controller.abort(new DOMException(`no answer in ${timeoutMs} ms`, 'TimeoutError')), timeoutMs)
  if (outer?.aborted === true) abort()
  // one for each call under way, and each is removed
  if (outer !== undefined) setMaxListeners(0, outer)
  outer?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    clear () {
      clearTimeout(timer)
      outer?.removeEventListener('abort', abort)
    }
  }
}
