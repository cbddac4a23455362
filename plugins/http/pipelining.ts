import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** Requests of one connection, behind the one that is answered, that are worked on. */
const MAX_UNDER_WAY = 4
/** Requests of one connection that wait until they are worked on; with more the connection is closed. */
const MAX_WAITING = 1_000

/** The requests of a connection behind the one that is answered. */
interface Pipeline {
  underWay: number
  /** Starts the work on each request that waits, in the order in which they came. */
  waiting: Array<() => void>
}

/**
 * Bounds the requests under way of each connection, and so the answers that nobody reads: a client may send requests
 * without waiting for the answers to those before.
 */
async function pipelining (fastify: FastifyInstance): Promise<void> {
  const pipelines = new WeakMap<Socket, Pipeline>()

  function start (pipeline: Pipeline, response: ServerResponse, done: () => void): void {
    pipeline.underWay++
    // When the answer has been handed to the operating system.
    response.once('close', () => {
      pipeline.underWay--
      pipeline.waiting.shift()?.()
    })
    done()
  }

  fastify.addHook('onRequest', (request, reply, done) => {
    const { socket } = request.raw
    const { _httpMessage: answered } = socket as Socket & { _httpMessage?: ServerResponse | null }
    if (answered == null || answered === reply.raw) return done()
    let pipeline = pipelines.get(socket)
    if (pipeline === undefined) {
      pipeline = { underWay: 0, waiting: [] }
      pipelines.set(socket, pipeline)
    }
    const begin = start.bind(undefined, pipeline, reply.raw, done)
    if (pipeline.underWay < MAX_UNDER_WAY) begin()
    else if (pipeline.waiting.push(begin) > MAX_WAITING) socket.destroy()
  })
}

export default fp(pipelining, { name: 'pipelining' })
