import { watchFile, unwatchFile } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Value, type ValueError } from '@sinclair/typebox/value'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Applications, findFault } from '../../lib/access/applications.js'
import { configuredSecrets } from '../../lib/access/secrets.js'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { decodeText } from '../../lib/configuration/text-encoding.js'
import { ApplicationsFileSchema, type Application, type ApplicationsFile } from '../../schemas/applications.js'
import type { Config } from '../../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance { applications: Applications }
}

/** How often the file is looked at; by its name, as a mounted file is replaced by another. */
const WATCH_MS = 1_000
const DEFAULT_ID = 'default'
const INDEX = /\.(\d+)(?=\.|$)/g
const POSITION = /position (\d+)/

/** The listeners to SIGHUP of every gateway in this process. */
const reloaders = new WeakSet<() => void>()

function dimensionsFromConfig ({
  REQUIRED_DIMENSIONS: required = [], ALLOWED_DIMENSIONS: allowed, UNKNOWN_DIMENSIONS: unknown
}: Config): Application['dimensions'] {
  return { required, ...(allowed === undefined ? {} : { allowed }), unknown }
}

/** The one application of a gateway without a file, with the rights that every client of the predecessor had. */
function fromConfig (config: Config): Application {
  return {
    id: DEFAULT_ID,
    clientSecrets: [config.CLIENT_SECRET_KEY!],
    allowedOrigins: config.CORS_ALLOWED_ORIGIN,
    namespaces: config.ALLOWED_NAMESPACES,
    logGroups: config.ALLOWED_LOG_GROUPS,
    logStreams: ['*'],
    dimensions: dimensionsFromConfig(config),
    rateLimits: {},
    budgets: { soft: 1, daily: {} },
    redaction: {
      fields: config.REDACT_FIELDS ?? [],
      patterns: config.REDACT_PATTERNS ?? [],
      urlQueries: config.REDACT_URL_QUERIES === 'on'
    },
    context: { ip: config.ADD_IP === 'on', userAgent: config.ADD_USER_AGENT === 'on' },
    emf: config.EMF,
    singleUseClientTokens: false
  }
}

/** A fault is told by its line, and never by the text there, which may be a secret. */
function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const position = POSITION.exec((error as Error).message)?.[1]
    const line = position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`
    throw new Error(`it is not JSON${line}`)
  }
}

function explain ({ path, message, schema }: ValueError): string {
  const where = path.slice(1).replaceAll('/', '.').replace(INDEX, '[$1]').replaceAll('~1', '/').replaceAll('~0', '~')
  const values = (schema.anyOf as Array<{ const?: unknown }> | undefined)?.map(({ const: value }) => value)
  return `${where === '' ? 'the file' : where}: ` +
    `${values === undefined ? message : `Expected one of ${values.join(', ')}`}`
}

/** The secrets that no client secret may equal, by the variable that holds each. */
function secretsOf (config: Config): Map<string, string> {
  const { CLIENT_SECRET_KEY: _client, ...others } = config
  return new Map(configuredSecrets(others).map(({ secret, name }) => [secret, name]))
}

/** @throws Error that says where the fault is */
async function load (file: string, config: Config): Promise<Application[]> {
  const document = Value.Default(ApplicationsFileSchema, parse(decodeText(await readFile(file))))
  const error = Value.Errors(ApplicationsFileSchema, document).First()
  if (error !== undefined) throw new Error(explain(error))
  const { applications } = document as ApplicationsFile
  const fault = findFault(applications, secretsOf(config))
  if (fault !== null) throw new Error(`${fault.path}: ${fault.message}`)
  return applications
}

async function loadFirst (file: string, config: Config): Promise<Application[]> {
  try {
    return await load(file, config)
  } catch (error) {
    throw new ConfigurationError(
      `The applications in ${file} (APPS_FILE) cannot be used.\n  ${(error as Error).message}`
    )
  }
}

/** Reads the file again on SIGHUP, and when it has changed. */
function keepLoaded (fastify: FastifyInstance, file: string): void {
  const { applications, config, log } = fastify
  let loading = Promise.resolve()
  const reload = (): void => {
    loading = loading.then(() => load(file, config)).then(loaded => {
      applications.replace(loaded)
      log.info({ file, applications: loaded.length }, 'the applications were read again')
    }, (error: Error) =>
      log.error({ file, fault: error.message }, 'the applications cannot be used; those read before stay in force'))
  }
  reloaders.add(reload)

  fastify.addHook('onReady', async () => {
    // fastify-cli takes SIGHUP for the end.
    for (const listener of process.listeners('SIGHUP')) {
      if (!reloaders.has(listener as () => void)) process.off('SIGHUP', listener)
    }
    process.on('SIGHUP', reload)
    watchFile(file, { interval: WATCH_MS, persistent: false }, reload)
  })
  fastify.addHook('onClose', async () => {
    process.off('SIGHUP', reload)
    unwatchFile(file, reload)
  })
}

/** Owns `fastify.applications`: the applications of the file or of the variables, and their reloads. */
async function applications (fastify: FastifyInstance): Promise<void> {
  const { APPS_FILE } = fastify.config
  const first = APPS_FILE === undefined ? [fromConfig(fastify.config)] : await loadFirst(APPS_FILE, fastify.config)
  fastify.decorate('applications', new Applications(first))
  if (APPS_FILE !== undefined) keepLoaded(fastify, APPS_FILE)
}

export default fp(applications, { name: 'applications', dependencies: ['config'] })
