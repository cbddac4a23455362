import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import createValidators from '@fastify/ajv-compiler'
import type { FastifyInstance, FastifyRequest, FastifySchemaCompiler } from 'fastify'
import fp from 'fastify-plugin'
import { answerToClientError } from '../../lib/http/raw-errors.js'
import { createRequestId, STRICT_VALIDATION } from '../../lib/http/server-options.js'

/** Fastify's default, for the routes without a limit of their own. */
const BODY_LIMIT_BYTES = 1_048_576
const DEFAULT_CLIENT_ERROR_HANDLER = 'bound defaultClientErrorHandler'
const WARNING =
  'The server was made without the options that this app exports. It decides by itself how to answer URLs that ' +
  'cannot be decoded, how long a parameter may be, which proxies to trust, and how exact time-outs are. ' +
  'Start with --options (npm start does), or give the options to your own Fastify; see docs/configuration.md.'

/** The URL of a request may hold a token. */
function describeRequest ({ method, routeOptions }: FastifyRequest): object {
  return { method, route: routeOptions.url }
}

const createLogger: Parameters<FastifyInstance['setChildLoggerFactory']>[0] = (logger, bindings, options) =>
  logger.child(bindings, { ...options, serializers: { ...options.serializers, req: describeRequest as never } })

/** Fastify's own validators, of the schemas that are registered when the first route is compiled. */
function strictValidators (fastify: FastifyInstance): FastifySchemaCompiler<unknown> {
  let compile: ReturnType<ReturnType<typeof createValidators>> | undefined
  return route => {
    compile ??= createValidators()(fastify.getSchemas() as never, { customOptions: STRICT_VALIDATION })
    return compile(route as never) as never
  }
}

/**
 * Fastify's own logs the bytes that are not HTTP at level trace, in which a token can stand; that of another app stays.
 */
function replaceClientErrorHandler ({ server }: FastifyInstance): void {
  for (const listener of server.listeners('clientError') as Array<(error: Error, socket: Duplex) => void>) {
    if (listener.name !== DEFAULT_CLIENT_ERROR_HANDLER) continue
    server.off('clientError', listener)
    server.on('clientError', (error, socket) => answerToClientError(error, socket as Socket))
  }
}

/**
 * Owns the options of the server as far as a plugin can set them, for a server that was made without those of the app.
 */
async function serverOptions (fastify: FastifyInstance & { genReqId?: unknown }): Promise<void> {
  if (fastify.genReqId === createRequestId) return
  fastify.log.warn(WARNING)
  fastify.setGenReqId(createRequestId)
  fastify.setChildLoggerFactory(createLogger)
  fastify.setValidatorCompiler(strictValidators(fastify))
  replaceClientErrorHandler(fastify)
  fastify.addHook('onRoute', route => { route.bodyLimit ??= BODY_LIMIT_BYTES })
}

export default fp(serverOptions, { name: 'server-options' })
