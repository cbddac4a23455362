import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import { ApiError } from '../../lib/http/api-error.js'
import { isObject } from '../../lib/guards.js'
import type { FirehoseAnswer, FirehoseRequest } from '../../schemas/metering.js'

declare module 'fastify' {
  interface FastifyInstance { firehose: ReturnType<typeof createFirehose> }
}

const REQUEST_ID = 'x-amz-firehose-request-id'
const SOURCE_ARN = 'x-amz-firehose-source-arn'
const MAX_MESSAGE_LENGTH = 8_192
/** A status at which Firehose gives up at once, without even its own error bucket. */
const PERMANENT_STATUS = 413
const RETRIED_STATUS = 503

function requestIdOf ({ headers, body }: FastifyRequest): string | undefined {
  const header = headers[REQUEST_ID]
  if (typeof header === 'string' && header !== '') return header
  return isObject(body) && typeof body.requestId === 'string' ? body.requestId : undefined
}

/** As bytes, since Fastify would add a charset to the content type, which Firehose does not ask for. */
function answer (request: FastifyRequest, reply: FastifyReply, fields: Partial<FirehoseAnswer> = {}): Buffer {
  const { [REQUEST_ID]: header } = request.headers
  if (header !== undefined) reply.header(REQUEST_ID, header)
  reply.header('content-type', 'application/json')
  const body: FirehoseAnswer = { requestId: requestIdOf(request) ?? '', timestamp: unixNow(), ...fields }
  return Buffer.from(JSON.stringify(body))
}

function createFirehose (fastify: FastifyInstance) {
  return {
    /**
     * Stores the calls of one request of Firehose.
     * @returns the body of the answer
     * @throws ApiError
     */
    async accept (request: FastifyRequest, reply: FastifyReply): Promise<Buffer> {
      const { timestamp = unixNow(), records } = request.body as FirehoseRequest
      const requestId = requestIdOf(request)
      if (requestId === undefined) throw new ApiError('invalidRequest', { message: 'requestId is missing.' })
      await fastify.metering!.acceptFirehose(
        { requestId, timestamp, records: records.map(({ data }) => data) }, String(request.headers[SOURCE_ARN] ?? '')
      )
      return answer(request, reply)
    },

    /** Of the route: every answer has the shape that Firehose asks for. */
    errorHandler (error: FastifyError | ApiError, request: FastifyRequest, reply: FastifyReply): void {
      const { statusCode, code, message, retryAfter } = fastify.apiErrorOf(error)
      if (code === 190) {
        request.log.error({ err: error, reqId: request.id, route: request.routeOptions.url }, 'request failed')
      }
      if (retryAfter !== undefined) reply.header('Retry-After', retryAfter)
      reply.code(statusCode === PERMANENT_STATUS ? RETRIED_STATUS : statusCode)
      reply.send(answer(request, reply, { errorMessage: message.slice(0, MAX_MESSAGE_LENGTH) }))
    }
  }
}

/** Owns `fastify.firehose`: the answers that Amazon Data Firehose asks for. */
async function firehose (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('firehose', createFirehose(fastify))
}

export default fp(firehose, { name: 'firehose', dependencies: ['metering', 'errors'] })
