import fastifyEnv, { type FastifyEnvOptions } from '@fastify/env'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { readLogStreamShards } from '../lib/access/log-stream-shards.js'
import { configuredSecrets } from '../lib/access/secrets.js'
import { ConfigurationError } from '../lib/configuration/configuration-error.js'
import { checkDotEnv } from '../lib/configuration/dot-env.js'
import { readRedisUrl } from '../lib/redis/redis-address.js'
import { readTrustProxy } from '../lib/http/trust-proxy.js'
import { CONFIG_FORMATS, ConfigSchema, type Config, type ConfigOptions } from '../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance { config: Config }
}

type Ajv = Parameters<Extract<NonNullable<FastifyEnvOptions['ajv']>, { customOptions: unknown }>['customOptions']>[0]

type Name = keyof Config
/** The variables that are set, as text. */
type Variables = Partial<Record<Name, string>>

/** The error of @fastify/env about one variable, as its Ajv makes it. */
interface SchemaError {
  keyword: string
  instancePath: string
  params: { missingProperty?: string }
}

const NAMES = Object.keys(ConfigSchema.properties) as Name[]
/** A copy, as @fastify/env writes into the schema that it is given. */
const SCHEMA = { ...ConfigSchema }

/** The fault of each variable that has one, in words. */
type Faults = Map<Name, string>

/** Names each variable at fault and what it must be, and never shows its value. */
function toError (faults: Faults): ConfigurationError {
  const lines = NAMES.filter(name => faults.has(name)).map(name => `  ${name} ${faults.get(name)}\n`)
  return new ConfigurationError(`The configuration cannot be used.\n${lines.join('')}See .env.example.`)
}

function mustBe (name: Name): string {
  return `it must be ${ConfigSchema.properties[name].description}`
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
function requiredByOthers ({
  APPS_FILE, METERING_ACCESS_KEY, METERING, ENTITLEMENT, AUTHORIZE_ROUTE
}: Variables): Name[] {
  const needsPlatform = METERING_ACCESS_KEY !== undefined || [METERING, ENTITLEMENT, AUTHORIZE_ROUTE].includes('on')
  return [
    ...(APPS_FILE === undefined ? ['CLIENT_SECRET_KEY' as const] : []),
    ...(needsPlatform ? ['REVENIUM_PLATFORM_API_KEY' as const] : [])
  ]
}

/**
 * The secret variables that hold the value of one that comes before them; the key in force may stand among those of
 * before.
 */
function findEqualSecrets ({ ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: previous, ...others }: Variables): Faults {
  const faults: Faults = new Map()
  const holders = new Map<string, Name>()
  const secrets = configuredSecrets({ ...others, ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: previous?.split(',') })
  for (const { variable, secret } of secrets) {
    const holder = holders.get(secret) ?? variable
    holders.set(secret, holder)
    const isPrevious = variable === 'ACCESS_TOKEN_PREVIOUS_SECRET_KEYS'
    if (holder === variable || (isPrevious && holder === 'ACCESS_TOKEN_SECRET_KEY')) continue
    faults.set(variable, `is wrong: ${isPrevious ? 'none of them may' : 'it must not'} equal ${holder}`)
  }
  return faults
}

/** The faults that the schema finds, and those that no schema can state. */
function findFaults (variables: Variables, schemaErrors: SchemaError[]): Faults {
  const faults = findEqualSecrets(variables)
  const [missing, wrong] = [(name: Name) => `is missing: ${mustBe(name)}`, (name: Name) => `is wrong: ${mustBe(name)}`]
  for (const { instancePath, params } of schemaErrors) {
    const name = (params.missingProperty ?? instancePath.slice(1)) as Name
    faults.set(name, params.missingProperty === undefined ? wrong(name) : missing(name))
  }
  for (const name of requiredByOthers(variables)) {
    if (variables[name] === undefined) faults.set(name, missing(name))
  }
  const redis = readRedisUrl(variables.REDIS_URL ?? '')
  if (redis?.form === 'cluster' && redis.database > 0) {
    faults.set('REDIS_URL', 'is wrong: it must be without a database, as a Redis Cluster has the database 0 alone')
  }
  if (readLogStreamShards(variables.LOG_STREAM_SHARDS?.split(',') ?? []) === null) {
    faults.set('LOG_STREAM_SHARDS', wrong('LOG_STREAM_SHARDS'))
  }
  if (readTrustProxy(variables.TRUST_PROXY) === null) faults.set('TRUST_PROXY', wrong('TRUST_PROXY'))
  return faults
}

/** The check behind each name of a format in the schema. */
const FORMATS: Record<string, (text: string) => boolean> = {
  ...CONFIG_FORMATS, 'redis-url': text => readRedisUrl(text) !== null
}

/** Compiles the schema once for every gateway of the process. */
let ajv: Ajv | undefined

/** Has infinite numbers held against their maximum, as Ajv takes "Infinity" for an integer, and knows the formats. */
function customOptions (created: Ajv): Ajv {
  created.opts.strictNumbers = false
  for (const [name, isOfFormat] of Object.entries(FORMATS)) created.addFormat(name, isOfFormat)
  ajv = created
  return created
}

/** Owns `fastify.config`: the environment, checked and typed. */
async function config (fastify: FastifyInstance, { environment }: ConfigOptions): Promise<void> {
  if (environment === undefined) checkDotEnv()
  const variables = readEnvironment(environment ?? process.env)
  let schemaErrors: SchemaError[] = []
  try {
    await fastify.register(fastifyEnv, { schema: SCHEMA, data: variables, env: false, ajv: ajv ?? { customOptions } })
  } catch (error) {
    schemaErrors = (error as { errors?: SchemaError[] }).errors ?? []
    if (schemaErrors.length === 0) throw error
  }
  const faults = findFaults(variables, schemaErrors)
  if (faults.size > 0) throw toError(faults)
}

process.on('uncaughtExceptionMonitor', printMessageAlone)

export default fp(config, { name: 'config' })
