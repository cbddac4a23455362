import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { configuredSecrets } from '../../lib/access/secrets.js'
import { createSecretFilter } from '../../lib/http/secrets.js'
import { filterLog } from '../../lib/logger.js'
import { readRedisUrl } from '../../lib/redis/redis-address.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The text of somebody else, without any secret that is configured here. */
    strikeSecrets: (text: string) => string
  }
}

/** Variables with secrets that the SDK itself reads. */
const AWS_SECRETS = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']
const NONE: readonly string[] = []

function redisPasswords ({ REDIS_URL, REDIS_SENTINEL_PASSWORD }: FastifyInstance['config']): string[] {
  const passwords = [REDIS_URL === undefined ? null : readRedisUrl(REDIS_URL)?.password, REDIS_SENTINEL_PASSWORD]
  return passwords.filter(password => password !== null && password !== undefined)
}

function ownSecrets ({ config }: FastifyInstance): string[] {
  return [
    ...configuredSecrets(config).map(({ secret }) => secret),
    ...redisPasswords(config),
    ...AWS_SECRETS.flatMap(name => process.env[name] ?? [])
  ]
}

/**
 * Owns `fastify.strikeSecrets`: strikes configured secrets out of texts that others have written, and out of the log.
 */
async function secrets (fastify: FastifyInstance): Promise<void> {
  const ownTexts = ownSecrets(fastify)
  const strikeOwn = createSecretFilter(() => ownTexts)
  // The client secrets of applications are known later than the first texts, and change.
  const strikeClients = createSecretFilter(() =>
    fastify.hasDecorator('applications') ? fastify.applications.clientSecrets : NONE)
  const strike = (text: string): string => strikeClients(strikeOwn(text))
  fastify.decorate('strikeSecrets', strike)
  filterLog(fastify.log, strike)
}

export default fp(secrets, { name: 'secrets', dependencies: ['config'] })
