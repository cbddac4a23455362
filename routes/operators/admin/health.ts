import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../../schemas/common.js'
import { ADMIN_ERRORS } from '../../../schemas/error-responses.js'
import { HealthDetailSchema } from '../../../schemas/health.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (!fastify.admin.enabled) return
  fastify.get('/health', {
    config: { cors: false },
    schema: {
      operationId: 'getHealth',
      summary: 'What fails, with the messages of those who say so',
      description: 'As GET /health/ready, with what AWS, the network, the store or the metering platform has said. ' +
        'The status is 200 also when a part fails.',
      tags: ['operations'],
      security: [{ adminToken: [] }],
      response: {
        200: { description: 'As /health/ready, with messages.', ...ref(HealthDetailSchema) }, ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function getHealth () {
    return await fastify.health.detail()
  })
}

export default routes
