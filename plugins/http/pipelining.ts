import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Requests of one connection that wait until they are worked on; with more the connection is closed. */
const MAX_WAITING = 1_000

/**
 * Works on the requests of a connection one after the other, as a client may send more without waiting for the answers
 * to those before. That bounds the answers that nobody reads, and nothing is worked on behind an answer that closes the
 * connection: its client could not be told what became of it.
 */
async function pipelining (fastify: FastifyInstance): Promise<void> {
  /** Of each connection: starts the work on each request that waits, in the order in which they came. */
  const waiting = new WeakMap<Socket, Array<() => void>>()

  function start (response: ServerResponse, socket: Socket, done: () => void): void {
    // When the answer has been handed to the operating system.
    response.once('close', () => waiting.get(socket)?.shift()?.())
    if (socket.writable) done()
  }

  fastify.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const { _httpMessage: answered } = socket as Socket & { _httpMessage?: ServerResponse | null }
    if (answered === reply.raw) return start(reply.raw, socket, done)
    // A server without connections injects requests.
    if (answered === undefined) return done()
    let queue = waiting.get(socket)
    if (queue === undefined) {
      queue = []
      waiting.set(socket, queue)
    }
    if (queue.push(() => start(reply.raw, socket, done)) > MAX_WAITING) socket.destroy()
  })
}

export default fp(pipelining, { name: 'pipelining' })
