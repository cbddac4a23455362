import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createSecretFilter } from '../../lib/http/secrets.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The text of somebody else, without any secret that is configured here. */
    strikeSecrets: (text: string) => string
  }
}

/** Variables with secrets that the SDK itself reads. */
const AWS_SECRETS = ['AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']

function passwordOf (url: string | undefined): string[] {
  if (url === undefined || !URL.canParse(url)) return []
  const { password } = new URL(url)
  return [password, decodeURIComponent(password)]
}

function secretsOf ({ config, applications }: FastifyInstance): string[] {
  return [
    config.ACCESS_TOKEN_SECRET_KEY, ...config.ACCESS_TOKEN_PREVIOUS_SECRET_KEYS ?? [],
    config.ADMIN_TOKEN, config.REVENIUM_PLATFORM_API_KEY, config.METERING_ACCESS_KEY,
    ...passwordOf(config.REDIS_URL),
    ...applications.list().flatMap(({ clientSecrets }) => clientSecrets),
    ...AWS_SECRETS.map(name => process.env[name])
  ].filter(secret => secret !== undefined)
}

/** Owns `fastify.strikeSecrets`: strikes configured secrets out of texts that others have written. */
async function secrets (fastify: FastifyInstance): Promise<void> {
  fastify.decorate('strikeSecrets', createSecretFilter(() => secretsOf(fastify)))
}

export default fp(secrets, { name: 'secrets', dependencies: ['config', 'applications'] })
