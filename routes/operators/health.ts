import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { TOO_MANY_ERROR } from '../../schemas/error-responses.js'
import { HealthSchema } from '../../schemas/health.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  // Each of the two routes has its own count: requests to other routes must not make a load balancer see a failure.
  const rateLimit = fastify.config.RATE_LIMIT_PER_MINUTE === 0 ? false : {}
  fastify.get('/health/live', {
    config: { rateLimit, cors: false },
    schema: {
      operationId: 'getLiveness',
      summary: 'Whether the process answers',
      description: 'Looks at nothing else: a process that does not answer is to be started again.',
      tags: ['health'],
      security: [],
      response: { 200: { description: 'It does.', ...ref(HealthSchema) }, ...TOO_MANY_ERROR }
    }
  }, async function getLiveness () {
    return { status: 'ok' as const, failing: [] }
  })

  fastify.get('/health/ready', {
    config: { rateLimit, cors: false },
    schema: {
      operationId: 'getReadiness',
      summary: 'Whether items can be stored and delivered',
      description: 'Names each part that fails, with one class of a closed list. A part that fails while the gateway ' +
        'stays in service is named with status 200. Calls nothing of CloudWatch.',
      tags: ['health'],
      security: [],
      response: {
        200: { description: 'They can.', ...ref(HealthSchema) },
        ...TOO_MANY_ERROR,
        503: { description: 'They cannot; each failing part is named.', ...ref(HealthSchema) }
      }
    }
  }, async function getReadiness (_request, reply) {
    const health = await fastify.health.check()
    if (health.status !== 'ok') reply.code(503)
    return health
  })
}

export default routes
