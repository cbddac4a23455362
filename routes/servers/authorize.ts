import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { errorAnswer, INTERNAL_ERROR } from '../../schemas/error-responses.js'
import { AuthorizeAnswerSchema } from '../../schemas/metering.js'

/** Envoy asks with the method and the path of the call, its own path before it. */
const PROXIED = '/authorize/*'
const PROXIED_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

const routes: FastifyPluginAsyncTypebox = async fastify => {
  const { entitlement, config } = fastify
  if (entitlement === null || config.AUTHORIZE_ROUTE === 'off') return

  fastify.route({
    method: 'GET',
    url: '/authorize',
    config: { forServers: true, cors: false },
    schema: {
      operationId: 'authorizeClient',
      summary: 'Whether a client may call',
      description: `For proxies that ask by HTTP: auth_request of nginx, ext_authz of Envoy, forwardAuth of Traefik. The client id is in the header ${config.CLIENT_ID_HEADER}.`,
      tags: ['metering'],
      security: [],
      response: {
        200: { description: 'It may, or nobody can say and FAIL_MODE is open.', ...ref(AuthorizeAnswerSchema) },
        403: errorAnswer('It may not, or nobody can say and FAIL_MODE is closed; X-Entitlement tells.'),
        ...INTERNAL_ERROR,
        503: errorAnswer('The gateway is overloaded.')
      }
    },
    ...entitlement.answering
  })
  fastify.route({ method: PROXIED_METHODS, url: PROXIED, config: { forServers: true, cors: false }, schema: { hide: true }, ...entitlement.answering })
}

export default routes
