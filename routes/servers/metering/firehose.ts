import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../../schemas/common.js'
import { FirehoseAnswerSchema, FirehoseRequestSchema } from '../../../schemas/metering.js'
import { mayHave, type ResponseHeader } from '../../../schemas/response-headers.js'

/** The most that Firehose sends, as it comes and as it is inflated. */
const BODY_LIMIT = 64 * 1_048_576

function answer (description: string, ...headers: ResponseHeader[]) {
  return { description, ...ref(FirehoseAnswerSchema), ...mayHave(...headers) }
}

const routes: FastifyPluginAsyncTypebox = async fastify => {
  const { metering, firehose } = fastify
  if (metering === null || !metering.takesAccessLogs) return

  fastify.post('/firehose', {
    bodyLimit: BODY_LIMIT,
    config: { forServers: true, cors: false, headers: ['X-Amz-Firehose-Request-Id'] },
    errorHandler: firehose.errorHandler,
    schema: {
      operationId: 'putFirehoseRecords',
      summary: 'Meter the calls of an access log that Amazon Data Firehose delivers',
      description: 'An HTTP endpoint of Firehose. 200 means that the calls are stored durably; whatever else is ' +
        'answered, Firehose comes again. A record or a line that cannot be read costs no other, and becomes a dead ' +
        'letter.',
      tags: ['metering'],
      security: [{ firehoseAccessKey: [] }],
      body: ref(FirehoseRequestSchema),
      response: {
        200: answer('All that could be read is stored.'),
        400: answer('The body is not what Firehose sends.'),
        401: answer('The access key is missing or wrong.'),
        415: answer('The content type or the content encoding is not supported.', 'Accept-Encoding'),
        429: answer('Too many requests of this IP had a wrong access key.', 'Retry-After'),
        500: answer('The gateway failed.'),
        503: answer('The calls cannot be stored now, or the body is too large.', 'Retry-After')
      }
    },
    ...metering.required
  }, async function putFirehoseRecords (request, reply) {
    reply.send(await firehose.accept(request, reply) as never)
    return reply
  })
}

export default routes
