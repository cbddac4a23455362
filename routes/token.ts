import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../schemas/common.js'
import { BODY_ERRORS, errorAnswer } from '../schemas/errors.js'
import { TokenAnswerSchema, TokenRequestSchema } from '../schemas/token.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  fastify.post('/token', {
    schema: {
      operationId: 'createToken',
      summary: 'Trade a client token for an access token',
      tags: ['tokens'],
      security: [],
      body: ref(TokenRequestSchema),
      response: {
        201: { description: 'An access token.', ...ref(TokenAnswerSchema) },
        ...BODY_ERRORS,
        401: errorAnswer('The client token is invalid or expired.'),
        403: errorAnswer('The client token is missing.')
      }
    },
    // Before the schema, so that a missing or malformed token keeps its own code.
    preValidation: async request => { fastify.tokens.requireClientToken(request.body) }
  }, async function createToken (request, reply) {
    reply.code(201)
    return { accessToken: fastify.tokens.issue(request.body.clientToken) }
  })
}

export default routes
