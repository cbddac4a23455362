import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../../schemas/common.js'
import { errorAnswer, INTERNAL_ERROR, TOO_MANY_ERROR, UNSUPPORTED_ERROR } from '../../../schemas/error-responses.js'
import {
  AccessLogsAnswerSchema, AccessLogsPayloadSchema, AccessLogsRequestSchema, GZIP_BODIES
} from '../../../schemas/metering.js'

/** CloudWatch Logs sends 1 MB at most; a forwarder may send more. */
const BODY_LIMIT = 64 * 1_048_576

const routes: FastifyPluginAsyncTypebox = async fastify => {
  const { metering } = fastify
  if (metering === null || !metering.takesAccessLogs) return
  fastify.addContentTypeParser(
    Object.keys(GZIP_BODIES), { parseAs: 'buffer' }, (_request, body, done) => done(null, body)
  )

  fastify.post('/access-logs', {
    bodyLimit: BODY_LIMIT,
    config: { forServers: true, cors: false, body: AccessLogsRequestSchema, bodies: GZIP_BODIES },
    schema: {
      operationId: 'putAccessLogs',
      summary: 'Meter the calls of an access log',
      description: 'Takes the event of a CloudWatch Logs subscription, and answers after its calls are stored ' +
        'durably. A line that cannot be read costs no other, and becomes a dead letter.',
      tags: ['metering'],
      security: [{ meteringAccessKey: [] }],
      body: AccessLogsPayloadSchema,
      response: {
        200: { description: 'What became of each line.', ...ref(AccessLogsAnswerSchema) },
        400: errorAnswer('The body is no event of a subscription.'),
        401: errorAnswer('The access key is missing or wrong.'),
        413: errorAnswer('The body is too large.'),
        ...UNSUPPORTED_ERROR,
        ...TOO_MANY_ERROR,
        ...INTERNAL_ERROR,
        503: errorAnswer('The calls cannot be stored now; Retry-After says when to come back.', 'Retry-After')
      }
    },
    ...metering.required
  }, async function putAccessLogs (request) {
    return await metering.acceptSubscription(request.body)
  })
}

export default routes
