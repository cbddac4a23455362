import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from '../protocol.js'
import type { ClientStanding, PlatformSandboxState } from './platform-sandbox.js'

export const PLATFORM_CONTROL_PREFIX = '/_platform'

type Route = (request: IncomingMessage) => unknown

/** Serves the content of the platform, and sets its clients and faults, over HTTP. */
export function createPlatformControl (platform: PlatformSandboxState) {
  const routes: Record<string, Route> = {
    'GET /ledger': () => platform.ledger(),
    'GET /events': () => platform.events(),
    'GET /faults': () => platform.faults.list(),
    'PUT /faults': async request => {
      platform.faults.set(JSON.parse((await readBody(request)).toString()))
      return platform.faults.list()
    },
    'DELETE /faults': () => platform.faults.clear(),
    'PUT /clients': async request =>
      platform.setClients(requireStandings(JSON.parse((await readBody(request)).toString()))),
    'DELETE ': () => platform.reset()
  }

  return async function control (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, 'http://platform')
    const route = routes[`${request.method} ${pathname.slice(PLATFORM_CONTROL_PREFIX.length).replace(/\/$/, '')}`]
    if (route === undefined) return sendJson(response, 404, { message: `No route ${request.method} ${pathname}` })
    try {
      const answer = await route(request)
      if (answer === undefined) response.writeHead(204).end()
      else sendJson(response, 200, answer)
    } catch (error) {
      sendJson(response, 400, { message: (error as Error).message })
    }
  }
}

function requireStandings (value: unknown): Record<string, ClientStanding> {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : null
  if (entries === null) throw new TypeError('clients must be an object of client ids')
  for (const [id, standing] of entries) {
    if (standing !== 'entitled' && standing !== 'denied') throw new TypeError(`${id} must be entitled or denied`)
  }
  return value as Record<string, ClientStanding>
}

function sendJson (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
