import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { TokenQuerySchema } from '../../schemas/common.js'
import { INTAKE_ERRORS } from '../../schemas/error-responses.js'
import { IntakeHeadersSchema, INTAKE_HEADERS, intakeAnswer } from '../../schemas/intake.js'
import { MetricEnvelopeSchema, MetricRequestSchema } from '../../schemas/metric.js'

const PATH = '/metric'
/** The same by the name that some clients of the predecessor use. */
const ALIAS = '/metrics'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  for (const path of [PATH, ALIAS]) {
    fastify.post(path, {
      bodyLimit: fastify.config.BODY_LIMIT_BYTES,
      schema: {
        hide: path === ALIAS,
        operationId: 'putMetric',
        summary: 'Send data points to CloudWatch',
        description: 'Answers after the data points are stored durably. A bad one never takes the good ones with it. ' +
          'POST /metrics is the same.',
        tags: ['telemetry'],
        security: [{ accessToken: [] }, { accessTokenQuery: [] }],
        headers: IntakeHeadersSchema,
        querystring: TokenQuerySchema,
        body: MetricEnvelopeSchema,
        response: { 201: intakeAnswer('What became of each data point.'), ...INTAKE_ERRORS }
      },
      config: { body: MetricRequestSchema, headers: INTAKE_HEADERS },
      ...fastify.tokens.required
    }, async function putMetric (request, reply) {
      const context = request.intakeContext()
      return reply.sendIntake(await fastify.metrics.accept(request.body, context), context.wait)
    })
  }
}

export default routes
