import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import app from '../../app.js'
import type { ConfigOptions } from '../../schemas/config.js'

/**
 * The app, whose decorators the instance has. `fp` marks the function that it is given, so the app itself stays as it
 * is for others of this process.
 */
export const openApp = fp(async (instance: FastifyInstance, given: ConfigOptions) => await app(instance, given))
