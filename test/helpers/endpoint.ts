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

export interface EndpointOptions {
  /** Whether the connection breaks at what a client has sent. */
  breaks?: (sent: Buffer) => boolean
  /** What a client gets instead of what the server has answered. */
  rewrite?: (answered: string) => string
}

export async function openEndpoint (
  port: number, { breaks = () => false, rewrite }: EndpointOptions = {}
): Promise<Endpoint> {
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
    if (rewrite === undefined) upstream.pipe(client)
    else upstream.on('data', data => client.write(rewrite(data.toString('latin1')), 'latin1'))
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
