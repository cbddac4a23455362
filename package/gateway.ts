import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import app, { options as serverOptions } from '../app.js'
import { readTrustProxy } from '../lib/http/trust-proxy.js'

/** The options of the plugin. */
export interface GatewayOptions {
  /** The path that all routes of the gateway stand under, such as `/telemetry`. */
  prefix?: string
  /**
   * The variables of docs/configuration.md, in place of those of the process. Credentials and endpoints of AWS are read
   * by its SDK, from the environment of the process alone.
   */
  environment?: Record<string, string | undefined>
  /** Whether there are the pages `/documentation` and the document `/documentation/json`. Absent: true. */
  documentation?: boolean
}

/** How long the gateway's plugins may take to open their stores. */
const PLUGIN_TIMEOUT_MS = 30_000

/** What takes the segments of a prefix off a URL; a segment may be a parameter of the app around. */
function withoutPrefix (prefix: string): (url: string) => string {
  const segments = prefix.split('/').filter(segment => segment !== '').length
  const leading = new RegExp(`^(?:/+[^/?]+){${segments}}`)
  return url => url.replace(leading, '')
}

/**
 * The gateway as a server of its own that never listens: validation, errors, CORS, limits and decorators are its own,
 * whatever the app around it has.
 */
function createGateway ({ log }: FastifyInstance, environment: GatewayOptions['environment']): FastifyInstance {
  return Fastify({
    ...serverOptions,
    // Its own: the gateway strikes its secrets out of every line.
    loggerInstance: log.child({ plugin: 'cloudwatch-postman' }),
    trustProxy: readTrustProxy((environment ?? process.env).TRUST_PROXY) ?? false,
    pluginTimeout: PLUGIN_TIMEOUT_MS
  })
}

/** The gateway inside another app: its routes under the prefix, as `npm start` serves them. */
const gateway: FastifyPluginAsync<GatewayOptions> = async (fastify, { environment, documentation = true }) => {
  const inner = createGateway(fastify, environment)
  const pathOf = withoutPrefix(fastify.prefix)
  fastify.route({
    method: fastify.supportedMethods,
    url: '/*',
    schema: { hide: true } as object,
    // A URL may hold a token: the lines of the app around about each request would show it.
    logLevel: 'silent',
    exposeHeadRoute: false,
    async onRequest (request, reply) {
      reply.hijack()
      request.raw.url = pathOf(request.raw.url!)
      inner.routing(request.raw, reply.raw)
    },
    handler: () => {}
  })
  fastify.addHook('onClose', async () => { await inner.close() })
  inner.register(app, { ...(environment !== undefined && { environment }), documentation })
  await inner.ready()
}

export default fp(gateway, { fastify: '5.x', name: 'cloudwatch-postman', encapsulate: true })
