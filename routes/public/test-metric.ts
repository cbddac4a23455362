import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { errorAnswer, INTERNAL_ERROR, TOO_MANY_ERROR } from '../../schemas/error-responses.js'
import { TestAnswerSchema } from '../../schemas/test-metric.js'

const ONE_A_MINUTE = { max: 1, timeWindow: '1 minute', groupId: 'test' }

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (fastify.config.TEST_ROUTE === 'off') return
  fastify.get('/test', {
    config: fastify.config.NODE_ENV === 'production' ? { rateLimit: ONE_A_MINUTE } : {},
    schema: {
      operationId: 'sendTestMetric',
      summary: 'Send one metric to CloudWatch and wait for its answer',
      description: 'Puts HELLO_WORLD, a random integer from 0 to 99, into the namespace cloudwatch-postman. In ' +
        'production at most once a minute and IP.',
      tags: ['telemetry'],
      security: [],
      response: {
        200: { description: 'CloudWatch has taken the metric.', ...ref(TestAnswerSchema) },
        ...TOO_MANY_ERROR,
        ...INTERNAL_ERROR,
        502: errorAnswer('AWS has refused the call, or cannot be reached; the message names the class of the error.'),
        503: errorAnswer('The gateway is overloaded; Retry-After says when to come back.', 'Retry-After'),
        504: errorAnswer('CloudWatch has not answered in time.')
      }
    }
  }, async function sendTestMetric (request) {
    return { ResponseMetadata: { RequestId: await fastify.testMetric.send() ?? request.id } }
  })
}

export default routes
