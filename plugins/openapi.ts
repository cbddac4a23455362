import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import type { ConfigOptions } from '../schemas/config.js'
import { COMPONENTS } from '../schemas/index.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Documented as the body of the route, whose own schema leaves the items to be judged one by one. */
    body?: TSchema
    /** More content types that the route takes. */
    bodies?: Record<string, { schema: TSchema }>
  }
}

const PATH = '/documentation'
const REDIRECT = 302

/** The headers of the pages. Whether pages travel by HTTPS is for the proxy in front to say. */
const HELMET: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'none'"],
      'base-uri': ["'none'"],
      'form-action': ["'none'"],
      'frame-ancestors': ["'none'"],
      'connect-src': ["'self'"],
      'font-src': ["'self'", 'data:'],
      'img-src': ["'self'", 'data:'],
      'script-src': ["'self'"],
      // Swagger UI sets styles on its elements.
      'style-src': ["'self'", "'unsafe-inline'"]
    }
  },
  strictTransportSecurity: false
}

const DOCUMENT: FastifyDynamicSwaggerOptions['openapi'] = {
  openapi: '3.1.0',
  info: {
    title: 'cloudwatch-postman',
    version: '5.0.0',
    description: 'A telemetry gateway between browsers and Amazon CloudWatch: trade a client token for an access ' +
      'token, then post metrics and log events.',
    license: { name: 'MIT', identifier: 'MIT' }
  },
  servers: [{ url: '/', description: 'This gateway' }],
  tags: [
    { name: 'tokens', description: 'Who may call.' },
    { name: 'telemetry', description: 'Metrics and log events on their way to CloudWatch.' },
    { name: 'metering', description: 'Usage on its way to a metering platform, and who is entitled to use.' },
    { name: 'health', description: 'For load balancers and orchestrators.' },
    { name: 'operations', description: 'For those who run the gateway; they ask for the admin token.' }
  ],
  components: {
    securitySchemes: {
      accessToken: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'The access token of POST /token.'
      },
      accessTokenQuery: {
        type: 'apiKey',
        in: 'query',
        name: 'accessToken',
        description: 'For beacons, which can set no header.'
      },
      meteringAccessKey: { type: 'http', scheme: 'bearer', description: 'METERING_ACCESS_KEY of the gateway.' },
      firehoseAccessKey: {
        type: 'apiKey',
        in: 'header',
        name: 'X-Amz-Firehose-Access-Key',
        description: 'METERING_ACCESS_KEY of the gateway.'
      },
      adminToken: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN of the gateway.' }
    }
  }
}

/** The one body of a route under each name that it may be sent by. */
function describeBody (body: unknown, config: FastifyContextConfig = {}): object {
  const schema = config.body === undefined ? body : { $ref: `${config.body.$id}#` }
  return {
    content: {
      'application/json': { schema },
      'text/plain': {
        schema: {
          type: 'string',
          contentMediaType: 'application/json',
          description: 'The same as JSON text, as beacons send it.'
        }
      },
      ...config.bodies
    }
  }
}

/** Owns the OpenAPI document, `fastify.swagger()`, and its pages: `/documentation` and `/documentation/json`. */
async function openapi (fastify: FastifyInstance, { documentation = true }: ConfigOptions): Promise<void> {
  for (const schema of COMPONENTS) fastify.addSchema(schema)
  await fastify.register(swagger, {
    openapi: DOCUMENT,
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}`
    },
    transform: ({ schema, url, route }) => ({
      url,
      schema: schema?.body === undefined
        ? schema
        : { ...schema, body: describeBody(schema.body, route.config) } as FastifySchema
    })
  })
  if (!documentation) return
  await fastify.register(async function pages (scope) {
    await scope.register(helmet, HELMET)
    // A proxy may have taken a prefix off the path: all links are relative.
    scope.addHook('onSend', async (_request, reply) => {
      if (reply.statusCode === REDIRECT) reply.header('location', '../')
    })
    await scope.register(swaggerUi, {
      routePrefix: PATH,
      indexPrefix: '.',
      transformSpecification: document => ({ ...document, servers: [{ url: '..', description: 'This gateway' }] }),
      transformSpecificationClone: false
    })
  })
}

export default fp(openapi, { name: 'openapi', dependencies: ['errors'] })
