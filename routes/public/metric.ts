import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref, TokenQuerySchema } from '../../schemas/common.js'
import { INTAKE_ERRORS } from '../../schemas/error-responses.js'
import { IntakeAnswerSchema, IntakeHeadersSchema } from '../../schemas/intake.js'
import { MetricEnvelopeSchema, MetricRequestSchema } from '../../schemas/metric.js'

const PATHS = { '/metric': 'putMetric', '/metrics': 'putMetrics' }

const routes: FastifyPluginAsyncTypebox = async fastify => {
  for (const [path, operationId] of Object.entries(PATHS)) {
    fastify.post(path, {
      bodyLimit: fastify.config.BODY_LIMIT_BYTES,
      schema: {
        operationId,
        summary: 'Send data points to CloudWatch',
        description: 'Answers after the data points are stored durably. A bad one never takes the good ones with it.',
        tags: ['telemetry'],
        security: [{ accessToken: [] }, { accessTokenQuery: [] }],
        headers: IntakeHeadersSchema,
        querystring: TokenQuerySchema,
        body: MetricEnvelopeSchema,
        response: {
          201: { description: 'What became of each data point.', ...ref(IntakeAnswerSchema) }, ...INTAKE_ERRORS
        }
      },
      config: { body: MetricRequestSchema },
      ...fastify.tokens.required
    }, async function putMetric (request, reply) {
      const context = request.intakeContext()
      return reply.sendIntake(await fastify.metrics.accept(request.body, context), context.wait)
    })
  }
}

export default routes
