import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { BODY_ERRORS, errorAnswer } from '../../schemas/error-responses.js'
import { TokenAnswerSchema, TokenRequestSchema } from '../../schemas/token.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  fastify.post('/token', {
    schema: {
      operationId: 'createToken',
      summary: 'Trade a client token for an access token',
      description: 'The access token lives for an hour, or as long as ACCESS_TOKEN_TTL_SECONDS says, and works for ' +
        'pages of the origin that has asked for it.',
      tags: ['tokens'],
      security: [],
      body: ref(TokenRequestSchema),
      response: {
        201: { description: 'An access token.', ...ref(TokenAnswerSchema) },
        ...BODY_ERRORS,
        402: errorAnswer('With ENTITLEMENT=on: the metering platform does not entitle the application.'),
        401: errorAnswer('The client token is invalid, expired, revoked or used up.'),
        403: errorAnswer('The client token is missing, or its application does not allow the origin.'),
        503: errorAnswer(
          'Nobody can say now whether the client token was used before, or whether the application is entitled; ' +
            'Retry-After says when to come back.',
          'Retry-After'
        )
      }
    },
    onRequest: [fastify.failures.guard, async (request, reply) => { request.expectUnauthenticatedBody(reply) }],
    // Before the schema, so that a missing or malformed token keeps its own code.
    preValidation: async request => { fastify.tokens.requireClientToken(request.body) }
  }, async function createToken (request, reply) {
    reply.code(201)
    return { accessToken: await fastify.tokens.issue(request.body.clientToken, request, reply) }
  })
}

export default routes
