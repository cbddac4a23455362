import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'

const KEEP_ALIVE_MS = 60_000

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

export interface ListenOptions {
  port: number
  host: string
  /** The handler of a request to this path. */
  handlerOf (path: string): Handler
  onConnection?: () => void
  /** Called before connections are cut. */
  onClose (): void
}

export interface Listening {
  url: string
  port: number
  /** Cuts every connection. May be called twice. */
  close (): Promise<void>
}

/** Serves HTTP. @throws Error when the port is taken */
export async function listen ({ port, host, handlerOf, onConnection, onClose }: ListenOptions): Promise<Listening> {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // The client sees for itself that its connection has broken.
    handlerOf(request.url!)(request, response).catch(() => response.destroy())
  })
  if (onConnection !== undefined) server.on('connection', onConnection)
  await listening(server, port, host)
  const { port: bound } = server.address() as AddressInfo
  let closed: Promise<void> | null = null
  return {
    url: `http://${host}:${bound}`,
    port: bound,
    close () {
      closed ??= new Promise(resolve => {
        onClose()
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closed
    }
  }
}

async function listening (server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
