import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { monotonicNow } from '../../lib/clock.js'
import type { MonotonicMs } from '../../schemas/common.js'

const SWEEP_MS = 100
/** How long a request may still take to come whole, or an answer to be read, once the app closes. */
const TRANSFER_MS = 1_500
/** How long a request that has come whole may still take to be answered, once the app closes. */
const ANSWER_MS = 5_000

/** Whether a request that has come whole waits for the end of its answer. */
function isAnswering (socket: Socket): boolean {
  const { _httpMessage: response } = socket as Socket & { _httpMessage?: ServerResponse | null }
  return response?.req.complete === true && !response.writableEnded
}

/**
 * Owns the end of connections while the app closes. Node would wait, until they time out, for connections that browsers
 * have opened ahead of need, that are kept alive after the last answer, or whose client does not send its request or
 * does not read its answer.
 */
async function connections (fastify: FastifyInstance): Promise<void> {
  const { server } = fastify
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })

  /** @returns ends the connections that may be ended by now */
  function startSweeping (): () => void {
    const startedAt = monotonicNow()
    /** When each connection was last seen with a request that waits for its answer. */
    const answeringAt = new WeakMap<Socket, MonotonicMs>()
    return function sweep () {
      server.closeIdleConnections()
      const now = monotonicNow()
      for (const socket of open) {
        const answering = isAnswering(socket)
        if (answering) answeringAt.set(socket, now)
        const transferMs = now - (answeringAt.get(socket) ?? startedAt)
        if (socket.bytesRead === 0 || transferMs >= TRANSFER_MS || now - startedAt >= ANSWER_MS) socket.destroy()
      }
    }
  }

  fastify.addHook('preClose', async () => {
    // An app that never listened has nothing to close.
    if (!server.listening) return
    const sweeping = setInterval(startSweeping(), SWEEP_MS)
    server.once('close', () => clearInterval(sweeping))
  })
}

export default fp(connections, { name: 'connections' })
