import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { DocumentedRoute } from '../documentation/app.js'
import { ApiError } from '../lib/http/api-error.js'
import { COMPONENTS } from '../schemas/index.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The OpenAPI document of all routes, once the app is ready. */
    openapi: () => Promise<object>
  }
  interface FastifyContextConfig {
    /** Documented as the body of the route, whose own schema leaves the items to be judged one by one. */
    body?: TSchema
    /** More content types that the route takes. */
    bodies?: Record<string, { schema: TSchema }>
  }
}

const PATH = '/documentation'
/** Speak of one connection, and the application of the documentation has none. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding']

/**
 * Owns the OpenAPI document: `/documentation` and `/documentation/json`.
 *
 * Few processes are ever asked for it, so what makes it is loaded when one is: it would be a tenth of every start.
 */
async function openapi (fastify: FastifyInstance): Promise<void> {
  const routes: DocumentedRoute[] = []
  let made: Promise<FastifyInstance> | null = null

  async function make (): Promise<FastifyInstance> {
    const { createDocumentation } = await import('../documentation/app.js')
    return await createDocumentation(routes, PATH)
  }

  function documentation (): Promise<FastifyInstance> {
    // One that failed is not kept: the next who looks tries again, and the end of the app does not fail with it.
    made ??= make().catch((error: unknown) => {
      made = null
      throw error
    })
    return made
  }

  async function show (request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { url, headers } = request
    const { statusCode, headers: shown, rawPayload } = await (await documentation()).inject({ url, headers })
    if (statusCode === 404) throw new ApiError('notFound')
    for (const name of HOP_BY_HOP) delete shown[name]
    return reply.code(statusCode).headers(shown).send(rawPayload)
  }

  for (const schema of COMPONENTS) fastify.addSchema(schema)
  fastify.decorate('openapi', async () => (await documentation()).swagger())
  fastify.get(PATH, show)
  fastify.get(`${PATH}/*`, show)
  // After its own pages, which are not in it.
  fastify.addHook('onRoute', ({ method, url, schema, config }) => {
    if (method !== 'HEAD') routes.push({ method, url, schema, config })
  })
  fastify.addHook('onClose', async () => { await (await made)?.close() })
}

export default fp(openapi, { name: 'openapi', dependencies: ['errors'] })
