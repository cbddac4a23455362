import { Agent, request as open } from 'node:http'
import type { FuzzRequest } from './requests.js'

const TIMEOUT_MS = 60_000

export interface Answer { status: number, headers: Record<string, string | string[] | undefined>, body: string }

export interface Client {
  /** Null when the connection ended without an answer, also a second time. */
  send (request: FuzzRequest): Promise<Answer | null>
  close (): void
}

export function createClient (url: string, connections: number): Client {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: connections })

  function once ({ method, path, headers, body }: FuzzRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = open({ agent, hostname, port, method, path, headers, timeout: TIMEOUT_MS }, answer => {
        const chunks: Buffer[] = []
        // A server that refuses a request before it reads the method may answer a HEAD with a body, which nobody reads.
        if (method === 'HEAD') resolve({ status: answer.statusCode!, headers: answer.headers, body: '' })
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => resolve({
          status: answer.statusCode!,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString()
        }))
        answer.on('error', reject)
      })
      request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
      request.on('error', reject)
      request.end(body ?? undefined)
    })
  }

  return {
    async send (request) {
      try {
        return await once(request)
      } catch {
        // The server may close an idle connection at the moment in which it is used again.
        return await once(request).catch(() => null)
      }
    },
    close: () => agent.destroy()
  }
}
