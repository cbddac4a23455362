import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import autoload from '@fastify/autoload'
import { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { ConfigOptions } from './plugins/config.js'

/** For `fastify start --options`. */
export const options: FastifyServerOptions = {
  genReqId: () => randomUUID(),
  requestIdHeader: false,
  // A line per request would cost more than the request; failures log themselves.
  logController: new LogController({ disableRequestLogging: true }),
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false } }
}

/** The composition: every plugin, then every route. */
export default async function app (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  await fastify.register(autoload, {
    dir: join(import.meta.dirname, 'plugins'),
    options: { environment: options.environment }
  })
  await fastify.register(autoload, {
    dir: join(import.meta.dirname, 'routes'),
    // Forwarders alone take no items.
    ...(fastify.config.FORWARDER === 'only' ? { matchFilter: /health|prometheus|admin/ } : {})
  })
}
