import { Type } from '@sinclair/typebox'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  DeadLetterCountSchema, DeadLetterPageSchema, DeadLetterQuerySchema, DeadLetterSchema, DeadLetterSelectionSchema
} from '../../../schemas/admin.js'
import { ref } from '../../../schemas/common.js'
import { ADMIN_ERRORS, BODY_ERRORS, errorAnswer } from '../../../schemas/error-responses.js'

const routes: FastifyPluginAsyncTypebox = async fastify => {
  if (!fastify.admin.enabled) return
  const common = { tags: ['operations'], security: [{ adminToken: [] }] }

  fastify.get('/dead-letters', {
    config: { cors: false },
    schema: {
      operationId: 'listDeadLetters',
      summary: 'List dead letters, oldest first',
      description: 'A page at a time, without the records. All conditions of the query have to hold.',
      ...common,
      querystring: DeadLetterQuerySchema,
      response: {
        200: { description: 'A page of dead letters.', ...ref(DeadLetterPageSchema) },
        400: errorAnswer('The filter is invalid.'),
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function listDeadLetters (request) {
    return await fastify.deadLetters.list(request.query)
  })

  fastify.get('/dead-letters/:id', {
    config: { cors: false },
    schema: {
      operationId: 'getDeadLetter',
      summary: 'Show one dead letter with its record',
      description: 'The record holds the items as they were stored.',
      ...common,
      params: Type.Object({ id: Type.String({ description: 'Of the list.' }) }),
      response: {
        200: { description: 'The dead letter.', ...ref(DeadLetterSchema) },
        404: errorAnswer('There is no such dead letter.'),
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function getDeadLetter (request) {
    return await fastify.deadLetters.get(request.params.id)
  })

  fastify.post('/dead-letters/redrive', {
    config: { cors: false },
    schema: {
      operationId: 'redriveDeadLetters',
      summary: 'Send dead letters again',
      description: 'Those that meet all conditions; a corrupt one stays where it is.',
      ...common,
      body: ref(DeadLetterSelectionSchema),
      response: {
        200: { description: 'How many letters are on their way again.', ...ref(DeadLetterCountSchema) },
        ...BODY_ERRORS,
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function redriveDeadLetters (request) {
    return await fastify.deadLetters.redrive(request.body)
  })

  fastify.delete('/dead-letters', {
    config: { cors: false },
    schema: {
      operationId: 'deleteDeadLetters',
      summary: 'Delete dead letters for good',
      description: 'Those that meet all conditions. Their items are lost.',
      ...common,
      body: ref(DeadLetterSelectionSchema),
      response: {
        200: { description: 'How many letters are gone.', ...ref(DeadLetterCountSchema) },
        ...BODY_ERRORS,
        ...ADMIN_ERRORS
      }
    },
    ...fastify.admin.required
  }, async function deleteDeadLetters (request) {
    return await fastify.deadLetters.delete(request.body)
  })
}

export default routes
