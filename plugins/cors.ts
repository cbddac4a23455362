import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const MAX_AGE_SECONDS = 86_400

/** Lets pages of the allowed origins call, and read every answer, errors included. */
async function cors (fastify: FastifyInstance): Promise<void> {
  const origins = fastify.config.CORS_ALLOWED_ORIGIN.split(',').map(origin => origin.trim()).filter(origin => origin !== '')
  await fastify.register(fastifyCors, {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Prefer'],
    exposedHeaders: ['Retry-After', 'Preference-Applied', 'Idempotency-Replayed', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'],
    maxAge: MAX_AGE_SECONDS
  })
}

export default fp(cors, { name: 'cors', dependencies: ['config'] })
