import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../../schemas/common.js'
import { ADMIN_ERRORS, BODY_ERRORS } from '../../../schemas/error-responses.js'
import { RevocationListSchema, RevocationRequestSchema, RevocationSchema } from '../../../schemas/revocations.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (!fastify.admin.enabled) return
  const common = { tags: ['operations'], security: [{ adminToken: [] }] }

  fastify.post('/revocations', {
    config: { cors: false },
    schema: {
      operationId: 'revokeTokens',
      summary: 'Take tokens back',
      description: 'One by its jti, all of an application, or all issued before a time. Every process refuses them ' +
        'within a second.',
      ...common,
      body: ref(RevocationRequestSchema),
      response: { 201: { description: 'The revocation.', ...ref(RevocationSchema) }, ...BODY_ERRORS, ...ADMIN_ERRORS }
    },
    ...fastify.admin.required
  }, async function revokeTokens (request, reply) {
    reply.code(201)
    return await fastify.revocations.revoke(request.body)
  })

  fastify.get('/revocations', {
    config: { cors: false },
    schema: {
      operationId: 'listRevocations',
      summary: 'List the revocations in force',
      description: 'The latest first. A revocation ends when all tokens that it speaks of have expired.',
      ...common,
      response: { 200: { description: 'As this process knows them.', ...ref(RevocationListSchema) }, ...ADMIN_ERRORS }
    },
    ...fastify.admin.required
  }, async function listRevocations () {
    return fastify.revocations.list()
  })
}

export default routes
