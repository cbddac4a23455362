import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import type { ConfigOptions } from '../schemas/config.js'
import { COMPONENTS } from '../schemas/index.js'
import { mayHave, RATE_LIMIT_HEADERS, RESPONSE_HEADERS, type ResponseHeader } from '../schemas/response-headers.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Documented as the body of the route, whose own schema leaves the items to be judged one by one. */
    body?: TSchema
    /** More content types that the route takes. */
    bodies?: Record<string, { schema: TSchema }>
    /** Documented as headers that each answer of the route may have. */
    headers?: ResponseHeader[]
  }
}

/** The operations by path and method, as far as their answers have headers. */
type DocumentedPaths =
  Record<string, Record<string, { responses: Record<string, { headers?: Record<string, object> }> }>>

const FILE = '/openapi.json'
const PAGES = '/documentation'
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

/** @param gateway the address of the gateway, also as seen from the document */
function serversAt (gateway: string) {
  return [{
    url: '{gateway}',
    description: 'A gateway',
    variables: { gateway: { default: gateway, description: 'The address of the gateway, without a slash at its end.' } }
  }]
}

const DOCUMENT: FastifyDynamicSwaggerOptions['openapi'] = {
  openapi: '3.1.0',
  info: {
    title: 'cloudwatch-postman',
    version: '5.0.0',
    description: 'A telemetry gateway between browsers and Amazon CloudWatch: trade a client token for an access ' +
      'token, then post metrics and log events.',
    contact: { name: 'The contributors of cloudwatch-postman' },
    license: { name: 'MIT', identifier: 'MIT' }
  },
  servers: serversAt('http://localhost:8080'),
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
    },
    headers: Object.fromEntries(
      Object.entries(RESPONSE_HEADERS).map(([name, { description = '', ...schema }]) =>
        [name, { description, schema: schema as object }])
    )
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

/** The answers of a route, each with the headers that all of them may have. */
function describeAnswers (
  response: Record<string, { headers?: object }>, config: FastifyContextConfig = {}
): object {
  const isLimited = config.forServers !== true && config.rateLimit !== false
  const common = mayHave(...(isLimited ? RATE_LIMIT_HEADERS : []), ...(config.headers ?? [])).headers
  return Object.fromEntries(Object.entries(response).map(([status, answer]) => {
    const headers = { ...answer.headers, ...common }
    return [status, Object.keys(headers).length === 0 ? answer : { ...answer, headers }]
  }))
}

/** Has each answer refer to the component of a header, in place of a copy. */
function shareHeaders<T extends object> (document: T): T {
  const { paths = {} } = document as { paths?: DocumentedPaths }
  const answers = Object.values(paths).flatMap(methods => Object.values(methods)).flatMap(({ responses }) =>
    Object.values(responses))
  for (const { headers = {} } of answers) {
    for (const name of Object.keys(headers)) headers[name] = { $ref: `#/components/headers/${name}` }
  }
  return document
}

/** Serves the document for generators, whose server is the gateway that serves it. */
function serveFile (fastify: FastifyInstance): void {
  let text: string | undefined
  fastify.get(FILE, { schema: { hide: true } }, async (_request, reply) => {
    reply.type('application/json')
    text ??= JSON.stringify({ ...fastify.swagger(), servers: serversAt('.') })
    return text
  })
}

/**
 * Owns the OpenAPI document, `fastify.swagger()`, its file, `/openapi.json`, and its pages: `/documentation` and
 * `/documentation/json`.
 */
async function openapi (fastify: FastifyInstance, { documentation = true }: ConfigOptions): Promise<void> {
  for (const schema of COMPONENTS) fastify.addSchema(schema)
  const { prefix } = fastify
  await fastify.register(swagger, {
    openapi: DOCUMENT,
    stripBasePath: false,
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}`
    },
    transform: ({ schema, url, route }) => ({
      // The prefix of an app around this one is a part of the server's address.
      url: url.slice(prefix.length),
      schema: {
        ...schema,
        ...(schema?.body !== undefined && { body: describeBody(schema.body, route.config) }),
        ...(schema?.response !== undefined && {
          response: describeAnswers(schema.response as Record<string, { headers?: object }>, route.config)
        })
      } as FastifySchema
    }),
    transformObject: document =>
      shareHeaders('openapiObject' in document ? document.openapiObject : document.swaggerObject)
  })
  if (!documentation) return
  serveFile(fastify)
  await fastify.register(async function pages (scope) {
    await scope.register(helmet, HELMET)
    // A proxy may have taken a prefix off the path: all links are relative.
    scope.addHook('onSend', async (_request, reply) => {
      if (reply.statusCode === REDIRECT) reply.header('location', '../')
    })
    await scope.register(swaggerUi, {
      routePrefix: PAGES,
      indexPrefix: '.',
      transformSpecification: document => ({ ...document, servers: [{ url: '..', description: 'This gateway' }] }),
      transformSpecificationClone: false
    })
  })
}

export default fp(openapi, { name: 'openapi', dependencies: ['errors'] })
