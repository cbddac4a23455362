import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../../lib/http/api-error.js'

declare module 'fastify' {
  interface FastifyInstance { admin: ReturnType<typeof createAdmin> }
}

/** Digests are of one length, so that the comparison tells nothing about the token's. */
function digest (text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function createAdmin (adminToken: string | undefined) {
  const expected = adminToken === undefined ? null : digest(`Bearer ${adminToken}`)
  return {
    /** Without a token the operator routes do not exist. */
    enabled: expected !== null,

    /** Spread into the options of an operator route. */
    required: {
      onRequest (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
        if (expected === null || !timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) throw new ApiError('adminTokenInvalid')
        done()
      }
    }
  }
}

/** Owns `fastify.admin`: who may operate. */
async function admin (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('admin', createAdmin(fastify.config.ADMIN_TOKEN))
}

export default fp(admin, { name: 'admin', dependencies: ['config', 'errors'] })
