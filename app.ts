import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Server } from 'node:http'
import { join } from 'node:path'
import type createValidators from '@fastify/ajv-compiler'
import autoload from '@fastify/autoload'
import type createSerializers from '@fastify/fast-json-stringify-compiler'
import { LogController, type FastifyInstance, type FastifyHttpOptions } from 'fastify'
import { compileOnFirstUse } from './lib/http/compile-on-first-use.js'
import { loadLate, loadWaiting } from './lib/http/load-late.js'
import { readTrustProxy } from './lib/http/trust-proxy.js'
import { answerToRouterError, answerToClientError } from './lib/http/raw-errors.js'
import type { ConfigOptions } from './schemas/config.js'

const require = createRequire(import.meta.url)

// Required, as Fastify does not wait for what compiles; and late, as to load them is an eighth of a start.
const validators = loadLate(() => (require('@fastify/ajv-compiler') as typeof createValidators)())
const serializers = loadLate(() => (require('@fastify/fast-json-stringify-compiler') as typeof createSerializers)())
/** From when the app listens until everything is loaded that no request has needed by then. */
const LOAD_WAITING_MS = 200

/** Of URL and headers together. */
const MAX_HEADER_BYTES = 16_384
/** How often connections are looked at; a timeout is exact to this. */
const CONNECTIONS_CHECK_MS = 1_000

/** For `fastify start --options`. */
export const options: FastifyHttpOptions<Server> = {
  genReqId: () => randomUUID(),
  requestIdHeader: false,
  // A value that Fastify cannot read stops the start, as any wrong variable does: plugins/config.ts.
  trustProxy: readTrustProxy(process.env.TRUST_PROXY) ?? false,
  // A line per request would cost more than the request; failures log themselves.
  logController: new LogController({ disableRequestLogging: true }),
  // A logger per request costs more than to look its token up; what is logged of a request names it.
  childLoggerFactory: logger => logger,
  // Headers are compared as the schema writes them, in lower case: Fastify does not change it for compilers it is given.
  schemaController: {
    compilersFactory: {
      buildValidator: compileOnFirstUse(validators),
      buildSerializer: compileOnFirstUse(serializers)
    }
  },
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  http: { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: CONNECTIONS_CHECK_MS },
  // What arrives on an open connection while the server closes is still taken, and answered in full.
  return503OnClosing: false,
  frameworkErrors (error, _request, reply) {
    const { statusCode, headers, body } = answerToRouterError(error)
    reply.raw.writeHead(statusCode, headers).end(body)
  },
  clientErrorHandler: answerToClientError
}

/**
 * The composition: every plugin, then the routes of operators, of other servers, and of pages. A process that only
 * forwards has the operators' alone.
 */
export default async function app (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  fastify.addHook('onListen', async () => {
    setTimeout(loadWaiting, LOAD_WAITING_MS).unref()
  })
  await fastify.register(autoload, {
    dir: join(import.meta.dirname, 'plugins'),
    dirNameRoutePrefix: false,
    options: { environment: options.environment }
  })
  const routes = join(import.meta.dirname, 'routes')
  const { FORWARDER, ROUTE_PREFIX } = fastify.config
  await fastify.register(autoload, { dir: join(routes, 'operators') })
  if (FORWARDER === 'only') return
  await fastify.register(autoload, { dir: join(routes, 'servers') })
  await fastify.register(autoload, { dir: join(routes, 'public'), options: ROUTE_PREFIX === undefined ? {} : { prefix: ROUTE_PREFIX } })
}
