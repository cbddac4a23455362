import { setMaxListeners } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { UnixMs } from '../../../schemas/common.js'
import { listen } from '../listen.js'
import { readBody } from '../protocol.js'
import { Rules } from '../rules.js'
import { applicationOf, eventError, type EventRoute } from './events.js'
import { createPlatformControl, PLATFORM_CONTROL_PREFIX } from './platform-control.js'
import {
  matchesTarget, parsePlatformFaults, type PlatformFaultRule, type PlatformRoute, type PlatformTarget
} from './platform-fault-plan.js'
import { PlatformRecorder } from './platform-ledger.js'
import type { ClientStanding, PlatformSandbox, PlatformSandboxState } from './platform-sandbox.js'

const DEFAULT_KEY = 'hak_sandbox'

/** Method and path of each route, and the status of a good answer. */
const ROUTES: Record<string, { route: PlatformRoute, status: number }> = {
  'POST /meter/v1/api/meter': { route: 'meter', status: 200 },
  'POST /meter/v1/api/event': { route: 'event', status: 201 },
  'POST /meter/v2/apis/requests': { route: 'requests', status: 201 },
  'POST /meter/v2/apis/responses': { route: 'responses', status: 201 },
  'GET /meter/v1/api/meter/product-key': { route: 'product-key', status: 200 }
}

export interface PlatformSandboxOptions {
  /** 0 or absent: a free port. */
  port?: number
  /** Absent: 127.0.0.1. */
  host?: string
  /** The key that `x-api-key` has to hold. Absent: hak_sandbox. */
  apiKey?: string
  /** Whether an event that comes again is recorded once. Absent: true. */
  idempotent?: boolean
  now?: () => UnixMs
}

interface Reply {
  status: number
  body: string
  headers?: Record<string, string>
}

const json = (status: number, body: object): Reply => ({ status, body: JSON.stringify(body) })

/** Starts a metering platform. @throws Error when the port is taken */
export async function startPlatform (options: PlatformSandboxOptions = {}): Promise<PlatformSandbox> {
  const { port = 0, host = '127.0.0.1', idempotent = true, now = Date.now } = options
  const recorder = new PlatformRecorder()
  const rules = new Rules<PlatformFaultRule, PlatformTarget>(matchesTarget)
  const closing = new AbortController()
  // Each delayed call has a listener to the signal.
  setMaxListeners(0, closing.signal)
  const clients = new Map<string, ClientStanding>()
  let apiKey = options.apiKey ?? DEFAULT_KEY

  function serve (
    route: PlatformRoute,
    status: number,
    request: IncomingMessage,
    query: URLSearchParams,
    body: unknown
  ): Reply {
    if (request.headers['x-api-key'] !== apiKey) return json(401, { message: 'Unauthorized' })
    if (route === 'product-key') return serveQuestion(query)
    const error = eventError(route, body)
    if (error !== null) return json(400, { message: error })
    const key = request.headers['idempotency-key']
    recorder.meter({
      route: route satisfies EventRoute,
      idempotencyKey: idempotent && typeof key === 'string' ? key : null,
      body: body as Record<string, unknown>,
      at: now()
    }, applicationOf(body))
    return json(status, {})
  }

  function serveQuestion (query: URLSearchParams): Reply {
    const asked = [...query.getAll('application'), ...query.getAll('productKey')]
    for (const id of asked) recorder.asked(id)
    return asked.some(id => clients.get(id) === 'entitled') ? json(200, {}) : json(404, { message: 'Not found' })
  }

  async function handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://platform')
    const raw = await readBody(request)
    const found = ROUTES[`${request.method} ${pathname}`]
    if (found === undefined) return send(response, json(404, { message: `No route ${request.method} ${pathname}` }))
    const { route, status } = found
    const body = parse(raw)
    recorder.call(route)
    const fired = rules.draw({
      route, application: applicationOf(body) ?? searchParams.get('application') ?? undefined
    })
    const ending = fired.find(({ kind }) => kind !== 'delay')
    const before = ending !== undefined && ending.afterStore !== true
    await pause(fired.filter(({ afterStore }) => afterStore !== true), closing.signal)
    const reply = before ? null : serve(route, status, request, searchParams, body)
    await pause(fired.filter(({ afterStore }) => afterStore === true), closing.signal)
    const answered = ending === undefined ? reply! : spoil(ending, status, response)
    recorder.answer(route, answered?.status ?? 0)
    if (answered !== null) send(response, answered)
  }

  function spoil (rule: PlatformFaultRule, status: number, response: ServerResponse): Reply | null {
    if (rule.kind === 'hang') rules.hang(response)
    if (rule.kind === 'reset') response.socket?.resetAndDestroy()
    if (rule.kind === 'hang' || rule.kind === 'reset') return null
    if (rule.kind === 'garbage') return { status, body: '<html>{"' }
    const headers: Record<string, string> = rule.retryAfterSeconds === undefined
      ? {}
      : { 'retry-after': String(rule.retryAfterSeconds) }
    return { ...json(rule.status!, { message: rule.message ?? `status ${rule.status!}` }), headers }
  }

  const core: PlatformSandboxState = {
    setClients (standings) {
      for (const [id, standing] of Object.entries(standings)) clients.set(id, standing)
    },
    setApiKey (key) { apiKey = key },
    faults: {
      set (plan) {
        const { rules: wanted, seed } = parsePlatformFaults(plan)
        rules.replace(wanted, seed)
      },
      list: () => rules.left(),
      clear: () => rules.clear()
    },
    ledger: () => recorder.snapshot(),
    events: () => recorder.events(),
    reset () {
      recorder.reset()
      rules.clear()
      clients.clear()
    }
  }
  const control = createPlatformControl(core)
  const listening = await listen({
    port,
    host,
    handlerOf: path => path.startsWith(PLATFORM_CONTROL_PREFIX) ? control : handle,
    onConnection: () => recorder.connection(),
    onClose () {
      closing.abort()
      rules.clear()
    }
  })
  const { url } = listening
  return {
    ...core,
    ...listening,
    urls: { 'v1-meter': `${url}/meter/v1/api/meter`, 'v1-event': `${url}/meter/v1/api/event`, v2: `${url}/meter` }
  }
}

function parse (raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'))
  } catch {
    return undefined
  }
}

function send (response: ServerResponse, { status, body, headers = {} }: Reply): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers
  })
  response.end(body)
}

async function pause (rules: PlatformFaultRule[], signal: AbortSignal): Promise<void> {
  for (const { delayMs } of rules) {
    if (delayMs !== undefined) await sleep(delayMs, undefined, { signal, ref: false })
  }
}
