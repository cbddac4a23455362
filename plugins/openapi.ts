import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { COMPONENTS } from '../schemas/index.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Documented as the body of the route, whose own schema leaves the items to be judged one by one. */
    body?: TSchema
  }
}

/** Owns the OpenAPI document: `/documentation` and `/documentation/json`. */
async function openapi (fastify: FastifyInstance): Promise<void> {
  for (const schema of COMPONENTS) fastify.addSchema(schema)
  await fastify.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'cloudwatch-postman',
        version: '5.0.0',
        description: 'A telemetry gateway between browsers and Amazon CloudWatch: trade a client token for an access token, then post metrics and log events.',
        license: { name: 'MIT', identifier: 'MIT' }
      },
      servers: [{ url: '/', description: 'This gateway' }],
      tags: [
        { name: 'tokens', description: 'Who may call.' },
        { name: 'telemetry', description: 'Metrics and log events on their way to CloudWatch.' },
        { name: 'health', description: 'For load balancers and orchestrators.' },
        { name: 'operations', description: 'For those who run the gateway; they ask for the admin token.' }
      ],
      components: {
        securitySchemes: {
          accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The access token of POST /token.' },
          accessTokenQuery: { type: 'apiKey', in: 'query', name: 'accessToken', description: 'For beacons, which can set no header.' },
          adminToken: { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN of the gateway.' }
        }
      }
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => typeof json.$id === 'string' ? json.$id : `def-${i}` },
    transform: ({ schema, url, route }) => {
      const body = route.config?.body
      return { url, schema: body === undefined ? schema : { ...schema, body: { $ref: `${body.$id}#` } } as FastifySchema }
    }
  })
  await fastify.register(swaggerUi, { routePrefix: '/documentation' })
}

export default fp(openapi, { name: 'openapi' })
