import fastifyEnv from '@fastify/env'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ConfigSchema, type Config } from '../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance { config: Config }
}

export interface ConfigOptions {
  /** Read instead of the environment of the process. */
  environment?: Record<string, string | undefined>
}

interface EnvironmentError extends Error {
  errors?: Array<{ instancePath: string, keyword: string, params: { missingProperty?: string } }>
}

/** An empty variable counts as one that is not set. */
function readEnvironment (environment: Record<string, string | undefined>): Record<string, string> {
  const known = Object.keys(ConfigSchema.properties)
  return Object.fromEntries(known.flatMap(name => {
    const value = environment[name]?.trim()
    return value === undefined || value === '' ? [] : [[name, value]]
  }))
}

/** Names each variable and what it must be, and never shows its value. */
function explain (error: EnvironmentError): Error {
  const lines = (error.errors ?? []).map(({ instancePath, keyword, params }) => {
    const name = (keyword === 'required' ? params.missingProperty! : instancePath.slice(1)) as keyof typeof ConfigSchema.properties
    return `${name} ${keyword === 'required' ? 'is missing' : 'is wrong'}: it must be ${ConfigSchema.properties[name].description}`
  })
  return lines.length === 0 ? error : new Error(`The configuration cannot be used.\n  ${lines.join('\n  ')}\nSee .env.example.`)
}

function missing (missingProperty: keyof Config): Error {
  return explain(Object.assign(new Error(), { errors: [{ instancePath: '', keyword: 'required', params: { missingProperty } }] }))
}

/** What one variable asks of another. */
function checkTogether (config: Config): void {
  if (config.APPS_FILE === undefined && config.CLIENT_SECRET_KEY === undefined) throw missing('CLIENT_SECRET_KEY')
  const { METERING, ENTITLEMENT, AUTHORIZE_ROUTE, METERING_ACCESS_KEY, REVENIUM_PLATFORM_API_KEY } = config
  const needsPlatform = METERING_ACCESS_KEY !== undefined || [METERING, ENTITLEMENT, AUTHORIZE_ROUTE].includes('on')
  if (needsPlatform && REVENIUM_PLATFORM_API_KEY === undefined) throw missing('REVENIUM_PLATFORM_API_KEY')
}

/** Owns `fastify.config`: the environment, checked and typed. */
async function config (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  try {
    await fastify.register(fastifyEnv, {
      schema: structuredClone(ConfigSchema),
      data: readEnvironment(options.environment ?? process.env),
      env: false,
      dotenv: false
    })
  } catch (error) {
    throw explain(error as EnvironmentError)
  }
  checkTogether(fastify.config)
}

export default fp(config, { name: 'config' })
