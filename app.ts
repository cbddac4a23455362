import type { Server } from 'node:http'
import { join } from 'node:path'
import autoload from '@fastify/autoload'
import { LogController, type FastifyInstance, type FastifyHttpOptions } from 'fastify'
import { dropByteOrderMark } from './lib/configuration/dot-env.js'
import { answerToRouterError, answerToClientError } from './lib/http/raw-errors.js'
import { createRequestId, STRICT_VALIDATION } from './lib/http/server-options.js'
import { readTrustProxy } from './lib/http/trust-proxy.js'
import type { ConfigOptions } from './schemas/config.js'

/** The most bytes of URL and headers together. */
const MAX_HEADER_BYTES = 16_384
/** How often connections are looked at; a timeout is exact to this. */
const CONNECTIONS_CHECK_MS = 1_000

dropByteOrderMark(process.env)

/** For `fastify start --options`. */
export const options: FastifyHttpOptions<Server> = {
  genReqId: createRequestId,
  requestIdHeader: false,
  // A value that Fastify cannot read stops the start, as any wrong variable does: plugins/config.ts.
  trustProxy: readTrustProxy(process.env.TRUST_PROXY) ?? false,
  // No line for each request: failures are logged where they occur.
  logController: new LogController({ disableRequestLogging: true }),
  // No logger for each request: the few lines about a request name its id.
  childLoggerFactory: logger => logger,
  ajv: { customOptions: STRICT_VALIDATION },
  http: { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: CONNECTIONS_CHECK_MS },
  // A request that arrives on an open connection while the server closes is still answered in full.
  return503OnClosing: false,
  frameworkErrors (error, _request, reply) {
    const { statusCode, headers, body } = answerToRouterError(error)
    reply.raw.writeHead(statusCode, headers).end(body)
  },
  clientErrorHandler: answerToClientError
}

/**
 * The composition: every plugin, then the routes of operators, of other servers, and of pages. A process that only
 * forwards has the operators' alone, as has the primary of several, which nobody asks.
 */
export default async function app (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  await fastify.register(autoload, {
    dir: join(import.meta.dirname, 'plugins'),
    dirNameRoutePrefix: false,
    options: {
      environment: options.environment, webProcesses: options.webProcesses, documentation: options.documentation
    }
  })
  const routes = join(import.meta.dirname, 'routes')
  const { FORWARDER, ROUTE_PREFIX } = fastify.config
  await fastify.register(autoload, { dir: join(routes, 'operators') })
  if (FORWARDER === 'only' || fastify.processes.role === 'primary') return
  await fastify.register(autoload, { dir: join(routes, 'servers') })
  await fastify.register(autoload, {
    dir: join(routes, 'public'),
    options: ROUTE_PREFIX === undefined ? {} : { prefix: ROUTE_PREFIX }
  })
}
