import Fastify from 'fastify'
import applications from '../../plugins/access/applications.js'
import secrets from '../../plugins/access/secrets.js'
import config from '../../plugins/config.js'
import type { Application } from '../../schemas/applications.js'
import type { Config, ConfigOptions } from '../../schemas/config.js'

export interface Configuration {
  config: Config
  applications: Application[]
  /** The text of somebody else, without any secret that is configured here. */
  strikeSecrets: (text: string) => string
}

/**
 * Reads the environment and APPS_FILE with the plugins of the gateway, and opens nothing else.
 * @throws ConfigurationError
 */
export async function readConfiguration (options: ConfigOptions = {}): Promise<Configuration> {
  const fastify = Fastify({ logger: false, pluginTimeout: 0 })
  try {
    await fastify.register(config, options)
    await fastify.register(secrets)
    await fastify.register(applications)
    const { config: read, strikeSecrets } = fastify
    return { config: read, applications: fastify.applications.list(), strikeSecrets }
  } finally {
    await fastify.close()
  }
}
