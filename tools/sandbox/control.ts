import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseFaultPlan } from './fault-plan.js'
import { readBody } from './protocol.js'
import type { SandboxState } from './sandbox.js'

export const CONTROL_PREFIX = '/_sandbox'

/** Characters of NDJSON written at once. */
const CHUNK_CHARACTERS = 262_144

type Route = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void | Promise<void>

function sendJson (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** Serves the content of the sandbox, and sets its faults and functions, over HTTP. */
export function createControl (sandbox: SandboxState) {
  const routes: Record<string, Route> = {
    'GET /ledger': (_request, response) => sendJson(response, 200, sandbox.ledger()),
    'GET /calls': (_request, response, query) =>
      sendJson(response, 200, sandbox.calls(Number(query.get('limit') ?? 100))),
    'GET /series': (_request, response, query) =>
      sendJson(response, 200, sandbox.series(query.get('namespace') ?? undefined)),
    'GET /items': (_request, response, query) =>
      sendItems(response, sandbox.items(query.get('logGroupName') ?? undefined)),
    'GET /faults': (_request, response) => sendJson(response, 200, sandbox.faults.list()),
    'PUT /faults': async (request, response) => {
      try {
        sandbox.faults.set(parseFaultPlan(JSON.parse((await readBody(request)).toString())))
      } catch (error) {
        return sendJson(response, 400, { message: (error as Error).message })
      }
      sendJson(response, 200, sandbox.faults.list())
    },
    'DELETE /faults': (_request, response) => {
      sandbox.faults.clear()
      response.writeHead(204).end()
    },
    'PUT /functions': async (request, response) => {
      try {
        for (const [name, url] of readFunctions(JSON.parse((await readBody(request)).toString()))) {
          sandbox.setFunction(name, url)
        }
      } catch (error) {
        return sendJson(response, 400, { message: (error as Error).message })
      }
      response.writeHead(204).end()
    },
    'DELETE ': (_request, response) => {
      sandbox.reset()
      response.writeHead(204).end()
    }
  }

  return async function control (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://sandbox')
    const route = routes[`${request.method} ${pathname.slice(CONTROL_PREFIX.length).replace(/\/$/, '')}`]
    if (route === undefined) return sendJson(response, 404, { message: `No route ${request.method} ${pathname}` })
    await route(request, response, searchParams)
  }
}

/** @throws TypeError naming the function that has no URL */
function readFunctions (json: unknown): Array<[name: string, url: string]> {
  return Object.entries(json as object).map(([name, url]) => {
    if (typeof url !== 'string' || !URL.canParse(url)) {
      throw new TypeError(`${name} must be the URL that its events are posted to`)
    }
    return [name, url]
  })
}

/** One JSON object per line, at the pace of the reader. */
async function sendItems (response: ServerResponse, items: Iterable<object>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  await pipeline(Readable.from(toLines(items)), response)
}

function * toLines (items: Iterable<object>): Generator<string> {
  let chunk = ''
  for (const item of items) {
    chunk += JSON.stringify(item) + '\n'
    if (chunk.length < CHUNK_CHARACTERS) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}
