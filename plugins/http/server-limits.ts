import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import { malformedRequestAnswer } from '../../lib/http/raw-errors.js'

const HOST = 'host'
/** Room for an access token of the largest size, and more. */
const MAX_URL_LENGTH = 8_192

/**
 * The headers that matter for an API: no browser guesses the type of an answer, and a page that isolates itself may
 * send. The other headers of helmet guard pages: those of the documentation have them.
 */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'cross-origin'
}

/** The names in a list of names and values, as they came, that are "Host". */
function countHosts (rawHeaders: string[]): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === HOST.length && name.toLowerCase() === HOST) count++
  }
  return count
}

/** Of HTTP/1.1: one Host says for whom a request is; an older client may have none. */
function isAddressed ({ httpVersion, rawHeaders }: IncomingMessage): boolean {
  const count = countHosts(rawHeaders)
  return count === 1 || (count === 0 && httpVersion === '1.0')
}

function answerToExpectation (_request: IncomingMessage, response: ServerResponse): void {
  const { statusCode, headers, body } = malformedRequestAnswer()
  response.writeHead(statusCode, { ...headers, 'Content-Length': Buffer.byteLength(body) }).end(body)
}

/**
 * Owns the limits of every request before its route is found, such as its time to come, and the headers of every
 * answer.
 */
async function serverLimits (fastify: FastifyInstance): Promise<void> {
  const { server, config } = fastify
  server.headersTimeout = config.HEADERS_TIMEOUT_MS
  server.requestTimeout = config.REQUEST_TIMEOUT_MS
  server.keepAliveTimeout = config.KEEP_ALIVE_TIMEOUT_MS
  server.setTimeout(config.CONNECTION_TIMEOUT_MS)
  // Node would answer by itself, in a shape of its own.
  Object.assign(server, { requireHostHeader: false })
  server.on('checkExpectation', answerToExpectation)
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.headers(HEADERS)
    if (!isAddressed(request.raw)) {
      reply.header('connection', 'close')
      throw new ApiError('malformedRequest', { message: 'The request must have one "Host" header.' })
    }
    if (request.raw.url!.length > MAX_URL_LENGTH) throw new ApiError('urlTooLong')
    done()
  })
}

export default fp(serverLimits, { name: 'server-limits', dependencies: ['config', 'errors', 'cors'] })
