import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ADMIN_ERRORS } from '../../schemas/error-responses.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (!fastify.admin.enabled) return
  fastify.get('/metrics', {
    config: { rateLimit: false, cors: false },
    schema: {
      operationId: 'getMetrics',
      summary: 'What the gateway does, for Prometheus',
      description: 'Counters, gauges and histograms, of all processes of a primary together.',
      tags: ['operations'],
      security: [{ adminToken: [] }],
      response: {
        200: { description: 'The Prometheus text format.', content: { 'text/plain': { schema: Type.String() } } },
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function getMetrics (_request, reply) {
    reply.type(fastify.prometheus.contentType)
    return await fastify.prometheus.scrape()
  })
}

export default routes
