import { setMaxListeners } from 'node:events'
import type { ApiKey } from './api-key.js'

/** Bytes of an answer that tell a failure; the rest is read and thrown away. */
const MAX_TEXT_BYTES = 2_048
/** An answer that is longer than this is cut off. */
const MAX_ANSWER_BYTES = 1_048_576
const USER_AGENT = 'cloudwatch-postman'
/** Errors of a connection that was closed before the answer came. */
const CLOSED_CONNECTION_CODES = new Set<string | undefined>(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

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

/**
 * The metering platform over HTTP. Connections are kept open, and redirects are not followed: the key is for this
 * address alone.
 */
export interface Platform {
  /**
   * One answer, of whatever status.
   * @throws Error when there is none: the connection fails, the time is over, the signal is aborted, or there is no key
   */
  request (request: PlatformRequest): Promise<PlatformAnswer>
}

export interface PlatformOptions {
  /** http or https, without query. */
  baseUrl: string
  apiKey: ApiKey
  /** Milliseconds for the whole answer, waiting for a connection included. */
  timeoutMs: number
  /** Milliseconds for a request with the reading of its key and a second attempt with another key. Absent: no limit. */
  totalTimeoutMs?: number
  /** Requests under way at once, and so connections. */
  maxConnections: number
}

/** @throws TypeError when the base URL is none */
export function createPlatform ({
  baseUrl, apiKey, timeoutMs, totalTimeoutMs, maxConnections
}: PlatformOptions): Platform {
  const base = readBaseUrl(baseUrl)
  const slots = new Slots(maxConnections)

  async function attempt (request: PlatformRequest, key: string): Promise<PlatformAnswer> {
    const { signal, clear } = withTimeout(timeoutMs, request.signal)
    try {
      await slots.take(signal)
      try {
        return await exchange(`${base}${request.path}`, toFetchOptions(request, key, signal))
      } finally {
        // fetch takes a connection back a turn of the event loop after the last byte of the answer
        setImmediate(() => slots.free())
      }
    } finally {
      clear()
    }
  }

  async function requestWithKey (request: PlatformRequest): Promise<PlatformAnswer> {
    const key = await apiKey.get(request.signal)
    const answer = await attempt(request, key)
    if ((answer.status !== 401 && answer.status !== 403) || !apiKey.refused(key)) return answer
    const renewed = await apiKey.get(request.signal)
    return renewed === key ? answer : await attempt(request, renewed)
  }

  return {
    async request (request) {
      if (totalTimeoutMs === undefined) return await requestWithKey(request)
      const { signal, clear } = withTimeout(totalTimeoutMs, request.signal)
      try {
        return await requestWithKey({ ...request, signal })
      } finally {
        clear()
      }
    }
  }
}

function readBaseUrl (baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '' || url.username !== '') {
    throw new TypeError('the address of the platform must be like https://api.example.com/path, without query')
  }
  return url.href.replace(/\/+$/, '')
}

/** Places for requests under way: fetch opens a connection for each, and has no limit of its own. */
class Slots {
  #left: number
  readonly #waiting = new Set<() => void>()

  constructor (count: number) {
    this.#left = count
  }

  /** @throws the reason of the signal when it is aborted first */
  async take (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#left > 0) {
      this.#left -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener('abort', aborted)
        resolve()
      }
      const aborted = (): void => {
        this.#waiting.delete(start)
        reject(signal.reason)
      }
      this.#waiting.add(start)
      signal.addEventListener('abort', aborted, { once: true })
    })
  }

  /** Hands the place to the request that has waited for longest. */
  free (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#left += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}

function toFetchOptions (
  { method, body, idempotencyKey }: PlatformRequest, key: string, signal: AbortSignal
): RequestInit {
  const headers: Record<string, string> = {
    'x-api-key': key,
    accept: 'application/json',
    'accept-encoding': 'identity',
    'user-agent': USER_AGENT
  }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey
  return { method, headers, redirect: 'manual', signal, ...(body !== undefined && { body: JSON.stringify(body) }) }
}

/** @throws Error as node:net and the like have it, or the reason of the signal */
async function exchange (url: string, options: RequestInit): Promise<PlatformAnswer> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      const response = await fetch(url, options)
      return {
        status: response.status, headers: Object.fromEntries(response.headers), text: await readBeginning(response)
      }
    } catch (error) {
      options.signal!.throwIfAborted()
      const cause = causeOf(error)
      // A connection that was closed while nobody used it says nothing about the platform: once more, on another one.
      if (!isFirst || !CLOSED_CONNECTION_CODES.has(cause.code)) throw cause
    }
  }
}

/** The error behind `fetch failed`, whose message names what has happened. */
function causeOf (error: unknown): NodeJS.ErrnoException {
  const { cause } = error as Error
  return cause instanceof Error ? cause : error as Error
}

/** Reads to the end, so that the connection can be used again. @throws Error when the answer is too long */
async function readBeginning (response: Response): Promise<string> {
  const beginning: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    if (size < MAX_TEXT_BYTES) beginning.push(chunk.subarray(0, MAX_TEXT_BYTES - size))
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer of the platform is too long')
  }
  return Buffer.concat(beginning).toString('utf8')
}

/** Aborts when the time is over or the outer signal is; `AbortSignal.any` would hold on to the outer one. */
function withTimeout (timeoutMs: number, outer: AbortSignal | undefined): { signal: AbortSignal, clear: () => void } {
  const controller = new AbortController()
  const abort = (): void => controller.abort(outer!.reason)
  const timer = setTimeout(
    () => controller.abort(new DOMException(`no answer in ${timeoutMs} ms`, 'TimeoutError')), timeoutMs
  )
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
