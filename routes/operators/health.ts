import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { HealthSchema } from '../../schemas/health.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  fastify.get('/health/live', {
    config: { rateLimit: false, cors: false },
    schema: {
      operationId: 'getLiveness',
      summary: 'Whether the process answers',
      tags: ['health'],
      security: [],
      response: { 200: { description: 'It does.', ...ref(HealthSchema) } }
    }
  }, async function getLiveness () {
    return { status: 'ok' as const, failing: [] }
  })

  fastify.get('/health/ready', {
    config: { rateLimit: false, cors: false },
    schema: {
      operationId: 'getReadiness',
      summary: 'Whether items can be stored and delivered',
      tags: ['health'],
      security: [],
      response: {
        200: { description: 'They can.', ...ref(HealthSchema) },
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
