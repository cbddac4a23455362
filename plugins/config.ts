import { Value, ValueErrorType } from '@sinclair/typebox/value'
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

type Name = keyof Config
type Faults = Map<Name, 'is missing' | 'is wrong'>
const NAMES = Object.keys(ConfigSchema.properties) as Name[]

/** An empty variable counts as one that is not set. What should be a number and is none stays as it is, for the schema to refuse. */
function readEnvironment (environment: Record<string, string | undefined>): unknown {
  const given = Object.fromEntries(NAMES.flatMap(name => {
    const text = environment[name]?.trim()
    if (text === undefined || text === '') return []
    const number = ConfigSchema.properties[name].type === 'integer' ? Number(text) : NaN
    return [[name, Number.isNaN(number) ? text : number]]
  }))
  return Value.Default(ConfigSchema, given)
}

/** Names each variable and what it must be, and never shows its value. */
function refusal (faults: Faults): Error {
  const lines = [...faults].map(([name, fault]) => `${name} ${fault}: it must be ${ConfigSchema.properties[name].description}`)
  return new Error(`The configuration cannot be used.\n  ${lines.join('\n  ')}\nSee .env.example.`)
}

/** @throws Error that names every variable at fault */
function check (given: unknown): Config {
  const faults: Faults = new Map()
  for (const { path, type } of Value.Errors(ConfigSchema, given)) {
    const name = path.slice(1) as Name
    // What is missing is wrong in other ways, too; the first says it.
    if (!faults.has(name)) faults.set(name, type === ValueErrorType.ObjectRequiredProperty ? 'is missing' : 'is wrong')
  }
  if (faults.size > 0) throw refusal(faults)
  return given as Config
}

function requirePresent (config: Config, name: Name): void {
  if (config[name] === undefined) throw refusal(new Map([[name, 'is missing']]))
}

/** What one variable asks of another. */
function checkTogether (config: Config): void {
  if (config.APPS_FILE === undefined) requirePresent(config, 'CLIENT_SECRET_KEY')
  const { METERING, ENTITLEMENT, AUTHORIZE_ROUTE, METERING_ACCESS_KEY } = config
  const needsPlatform = METERING_ACCESS_KEY !== undefined || [METERING, ENTITLEMENT, AUTHORIZE_ROUTE].includes('on')
  if (needsPlatform) requirePresent(config, 'REVENIUM_PLATFORM_API_KEY')
}

/** Owns `fastify.config`: the environment, checked and typed. */
async function config (fastify: FastifyInstance, options: ConfigOptions): Promise<void> {
  const config = check(readEnvironment(options.environment ?? process.env))
  checkTogether(config)
  fastify.decorate('config', config)
}

export default fp(config, { name: 'config' })
