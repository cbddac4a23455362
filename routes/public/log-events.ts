import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { INTAKE_ERRORS } from '../../schemas/error-responses.js'
import { IntakeHeadersSchema, INTAKE_HEADERS, intakeAnswer } from '../../schemas/intake.js'
import {
  JSON_LINES_BODIES, LogEventsBodySchema, LogEventsQuerySchema, LogEventsRequestSchema
} from '../../schemas/log-events.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  fastify.acceptJsonLines(fastify.logEvents.readLines)
  fastify.post('/logEvents', {
    bodyLimit: fastify.config.BODY_LIMIT_BYTES,
    schema: {
      operationId: 'putLogEvents',
      summary: 'Send log events to CloudWatch Logs',
      description: 'Answers after the events are stored durably. A bad one never takes the good ones with it. Log ' +
        'group and log stream are created when they do not exist.',
      tags: ['telemetry'],
      security: [{ accessToken: [] }, { accessTokenQuery: [] }],
      headers: IntakeHeadersSchema,
      querystring: LogEventsQuerySchema,
      body: LogEventsBodySchema,
      response: { 201: intakeAnswer('What became of each event.'), ...INTAKE_ERRORS }
    },
    config: { body: LogEventsRequestSchema, bodies: JSON_LINES_BODIES, headers: INTAKE_HEADERS },
    ...fastify.tokens.required
  }, async function putLogEvents (request, reply) {
    const context = request.intakeContext()
    return reply.sendIntake(await fastify.logEvents.accept(request.body, context), context.wait)
  })
}

export default routes
