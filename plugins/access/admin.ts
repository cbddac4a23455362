import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'
import { createSecretCheck } from '../../lib/http/secrets.js'

declare module 'fastify' {
  interface FastifyInstance { admin: ReturnType<typeof createAdmin> }
}

function createAdmin ({ config: { ADMIN_TOKEN: adminToken }, failures }: FastifyInstance) {
  const isAuthorized = adminToken === undefined ? null : createSecretCheck(`Bearer ${adminToken}`)
  return {
    /** Without a token the operator routes do not exist. */
    enabled: isAuthorized !== null,

    /** Spread into the options of an operator route. */
    required: {
      onRequest: [failures.guard, function requireAdminToken (
        { headers }: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction
      ): void {
        if (isAuthorized?.(headers.authorization ?? '') !== true) throw new ApiError('adminTokenInvalid')
        done()
      }]
    }
  }
}

/** Owns `fastify.admin`: asks the requests of operators for the admin token. */
async function admin (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('admin', createAdmin(fastify))
}

export default fp(admin, { name: 'admin', dependencies: ['config', 'errors', 'failures'] })
