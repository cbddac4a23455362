import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A stable address, as that of the primary of a managed Redis. */
export interface Endpoint {
  port: number
  /** New connections lead there from now on; those that are open stay where they are. */
  moveTo (port: number): void
  /** Breaks the connections that are open. */
  cut (): void
  close (): Promise<void>
}

/** @param breaks whether the connection breaks at what a client has sent */
export async function openEndpoint (port: number, breaks: (sent: Buffer) => boolean = () => false): Promise<Endpoint> {
  let target = port
  const sockets = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    client.on('data', sent => {
      if (breaks(sent)) client.destroy()
    })
    client.pipe(upstream)
    upstream.pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  return {
    port: (server.address() as AddressInfo).port,
    moveTo (port) { target = port },
    cut,
    async close () {
      server.close()
      cut()
      await once(server, 'close')
    }
  }
}
