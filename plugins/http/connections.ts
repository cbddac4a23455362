import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const SWEEP_MS = 100

/**
 * Ends, while the app closes, the connections without a request under way: those that browsers have opened ahead of
 * need, and those kept alive after the last answer. Node waits for both until they time out.
 */
async function connections (fastify: FastifyInstance): Promise<void> {
  const { server } = fastify
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })

  function sweep (): void {
    server.closeIdleConnections()
    for (const socket of open) {
      if (socket.bytesRead === 0) socket.destroy()
    }
  }

  fastify.addHook('preClose', async () => {
    const sweeping = setInterval(sweep, SWEEP_MS)
    server.once('close', () => clearInterval(sweeping))
    // An app that never listened has nothing to close.
    if (!server.listening) clearInterval(sweeping)
  })
}

export default fp(connections, { name: 'connections' })
