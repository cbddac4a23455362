import { METHODS } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.js'
import { errorAnswer, INTERNAL_ERROR } from '../../schemas/error-responses.js'
import { AuthorizeAnswerSchema } from '../../schemas/metering.js'

/** Envoy asks with the path of the call behind its own. */
const PROXIED = '/authorize/*'
/** Proxies ask with the method of the call, whatever that is; CONNECT reaches no route. */
const PROXIED_METHODS = METHODS.filter(method => method !== 'CONNECT')

const routes: FastifyPluginAsyncTypebox = async fastify => {
  const { entitlement, config } = fastify
  if (entitlement === null || config.AUTHORIZE_ROUTE === 'off') return

  for (const method of PROXIED_METHODS) {
    if (!fastify.supportedMethods.includes(method)) fastify.addHttpMethod(method)
  }
  fastify.route({
    method: 'GET',
    url: '/authorize',
    exposeHeadRoute: false,
    config: { forServers: true, cors: false, headers: ['X-Entitlement', 'Cache-Control'] },
    schema: {
      operationId: 'authorizeClient',
      summary: 'Whether a client may call',
      description: 'For proxies that ask by HTTP: auth_request of nginx, ext_authz of Envoy, forwardAuth of Traefik. ' +
        `The client id is in the header ${config.CLIENT_ID_HEADER}. Every method is answered alike.`,
      tags: ['metering'],
      security: [],
      response: {
        200: { description: 'It may, or nobody can say and FAIL_MODE is open.', ...ref(AuthorizeAnswerSchema) },
        403: errorAnswer('It may not, or nobody can say and FAIL_MODE is closed; X-Entitlement tells.'),
        ...INTERNAL_ERROR,
        503: errorAnswer('The gateway is overloaded; Retry-After says when to come back.', 'Retry-After')
      }
    },
    ...entitlement.answering
  })
  const hidden = {
    exposeHeadRoute: false,
    config: { forServers: true, cors: false } as const,
    schema: { hide: true },
    ...entitlement.answering
  }
  fastify.route({ method: PROXIED_METHODS.filter(method => method !== 'GET'), url: '/authorize', ...hidden })
  fastify.route({ method: PROXIED_METHODS, url: PROXIED, ...hidden })
}

export default routes
