import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../../schemas/common.js'
import { ADMIN_ERRORS, errorAnswer } from '../../../schemas/error-responses.js'
import { UsageQuerySchema, UsageReportSchema } from '../../../schemas/usage.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (!fastify.admin.enabled) return
  fastify.get('/usage', {
    config: { cors: false },
    schema: {
      operationId: 'getUsage',
      summary: 'What each application has used, day by day',
      description: 'Of all processes; counts of the last second of other processes may be missing.',
      tags: ['operations'],
      security: [{ adminToken: [] }],
      querystring: UsageQuerySchema,
      response: {
        200: { description: 'The usage.', ...ref(UsageReportSchema) },
        400: errorAnswer('The query is invalid.'),
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function getUsage (request) {
    return await fastify.usage.report(Number(request.query.days ?? 1))
  })
}

export default routes
