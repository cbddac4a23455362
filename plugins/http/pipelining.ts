import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Requests of one connection that wait until they are worked on; with more the connection is closed. */
const MAX_WAITING = 1_000

/**
 * Owns the order of the requests of a connection: each is worked on after the one before, as a client may send requests
 * without waiting for answers. That bounds the answers that nobody reads, and no request is worked on behind an answer
 * that closes the connection: its client could not be told what became of it.
 */
async function pipelining (fastify: FastifyInstance): Promise<void> {
  /** Of each connection: starts the work on each request that waits, in the order in which they came. */
  const waiting = new WeakMap<Socket, Array<() => void>>()

  /** Goes on with the requests that wait, when the answer before them has been handed to the operating system. */
  function followUp (answered: ServerResponse, queue: Array<() => void>): void {
    answered.once('close', () => queue.shift()?.())
  }

  fastify.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const { _httpMessage: answered } = socket as Socket & { _httpMessage?: ServerResponse }
    const start = (): void => { if (socket.writable) done() }
    if (answered === reply.raw) return start()
    // A server without connections injects requests.
    if (answered === undefined) return done()
    let queue = waiting.get(socket)
    if (queue === undefined) {
      queue = []
      waiting.set(socket, queue)
    }
    const waits = queue.push(() => {
      if (queue.length > 0) followUp(reply.raw, queue)
      start()
    })
    if (waits === 1) followUp(answered, queue)
    if (waits > MAX_WAITING) socket.destroy()
  })
}

export default fp(pipelining, { name: 'pipelining' })
