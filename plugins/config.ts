import fastifyEnv, { type FastifyEnvOptions } from '@fastify/env'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { readTrustProxy } from '../lib/http/trust-proxy.js'
import { ConfigSchema, type Config, type ConfigOptions } from '../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance { config: Config }
}

type Ajv = Parameters<Extract<NonNullable<FastifyEnvOptions['ajv']>, { customOptions: unknown }>['customOptions']>[0]

type Name = keyof Config
type Fault = 'is missing' | 'is wrong'
/** The variables that are set, as text. */
type Variables = Partial<Record<Name, string>>

/** What @fastify/env says of one variable: the error of its Ajv. */
interface SchemaError {
  keyword: string
  instancePath: string
  params: { missingProperty?: string }
}

const NAMES = Object.keys(ConfigSchema.properties) as Name[]
/** A copy, as @fastify/env writes into the schema that it is given. */
const SCHEMA = { ...ConfigSchema }

/** Names each variable at fault and what it must be, and never shows its value. */
class ConfigurationError extends Error {
  override name = 'ConfigurationError'

  constructor (faults: Map<Name, Fault>) {
    const lines = NAMES.filter(name => faults.has(name)).map(name => `  ${name} ${faults.get(name)}: it must be ${ConfigSchema.properties[name].description}\n`)
    super(`The configuration cannot be used.\n${lines.join('')}See .env.example.`)
  }
}

/** Node would print the stack of an error that nobody handles, where the operator needs the message alone. */
function printMessageAlone (error: unknown): void {
  if (!(error instanceof ConfigurationError) || process.listenerCount('uncaughtException') > 0) return
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}

/** The text without spaces around it; of a list, without those around its entries, and without empty entries. */
function tidy (name: Name, text: string): string {
  if (!('separator' in ConfigSchema.properties[name])) return text.trim()
  return text.split(',').map(entry => entry.trim()).filter(entry => entry !== '').join(',')
}

/** A blank variable counts as one that is not set. */
function readEnvironment (environment: Record<string, string | undefined>): Variables {
  return Object.fromEntries(NAMES.flatMap(name => {
    const text = environment[name] ?? ''
    return text.trim() === '' ? [] : [[name, tidy(name, text)]]
  }))
}

/** The variables that another one makes required. */
function requiredByOthers ({ APPS_FILE, METERING_ACCESS_KEY, METERING, ENTITLEMENT, AUTHORIZE_ROUTE }: Variables): Name[] {
  const needsPlatform = METERING_ACCESS_KEY !== undefined || [METERING, ENTITLEMENT, AUTHORIZE_ROUTE].includes('on')
  return [
    ...(APPS_FILE === undefined ? ['CLIENT_SECRET_KEY' as const] : []),
    ...(needsPlatform ? ['REVENIUM_PLATFORM_API_KEY' as const] : [])
  ]
}

/** What the schema says of the variables, and what it cannot say. */
function findFaults (variables: Variables, schemaErrors: SchemaError[]): Map<Name, Fault> {
  const faults = new Map<Name, Fault>()
  for (const { instancePath, params } of schemaErrors) {
    if (params.missingProperty !== undefined) faults.set(params.missingProperty as Name, 'is missing')
    else faults.set(instancePath.slice(1) as Name, 'is wrong')
  }
  for (const name of requiredByOthers(variables)) {
    if (variables[name] === undefined) faults.set(name, 'is missing')
  }
  if (readTrustProxy(variables.TRUST_PROXY) === null) faults.set('TRUST_PROXY', 'is wrong')
  return faults
}

/** Has infinite numbers held against their maximum: Ajv takes "Infinity" for an integer. */
function customOptions (ajv: Ajv): Ajv {
  ajv.opts.strictNumbers = false
  return ajv
}

/** Owns `fastify.config`: the environment, checked and typed. */
async function config (fastify: FastifyInstance, { environment = process.env }: ConfigOptions): Promise<void> {
  const variables = readEnvironment(environment)
  let schemaErrors: SchemaError[] = []
  try {
    await fastify.register(fastifyEnv, { schema: SCHEMA, data: variables, env: false, ajv: { customOptions } })
  } catch (error) {
    schemaErrors = (error as { errors?: SchemaError[] }).errors ?? []
    if (schemaErrors.length === 0) throw error
  }
  const faults = findFaults(variables, schemaErrors)
  if (faults.size > 0) throw new ConfigurationError(faults)
}

process.on('uncaughtExceptionMonitor', printMessageAlone)

export default fp(config, { name: 'config' })
