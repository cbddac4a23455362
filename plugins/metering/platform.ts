import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { fixedKey } from '../../lib/metering/api-key.js'
import { createPlatform, type Platform } from '../../lib/metering/platform.js'
import { PROFILES } from '../../lib/metering/profiles.js'
import type { Config } from '../../schemas/config.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Null without REVENIUM_PLATFORM_API_KEY. */
    platform: Platforms | null
  }
}

/** One platform; its two APIs may have addresses of their own. */
interface Platforms {
  metering: Platform
  entitlement: Platform
}

/** Questions are asked one at a time for each client, and their answers are kept. */
const ENTITLEMENT_CONNECTIONS = 16

function openPlatforms (config: Config, key: string): Platforms {
  const {
    METERING_PROFILE,
    REVENIUM_PLATFORM_API: given,
    REVENIUM_ENTITLEMENT_API,
    FORWARDER_CONCURRENCY,
    METERING_CONCURRENCY
  } = config
  const common = { apiKey: fixedKey(key), timeoutMs: config.PLATFORM_TIMEOUT_MS }
  const entitlementUrl = REVENIUM_ENTITLEMENT_API ?? (METERING_PROFILE === 'v1-meter' ? given : undefined) ??
    PROFILES['v1-meter'].defaultUrl
  return {
    metering: createPlatform({
      ...common,
      baseUrl: given ?? PROFILES[METERING_PROFILE].defaultUrl,
      maxConnections: FORWARDER_CONCURRENCY * METERING_CONCURRENCY
    }),
    entitlement: createPlatform({ ...common, baseUrl: entitlementUrl, maxConnections: ENTITLEMENT_CONNECTIONS })
  }
}

/** Owns `fastify.platform`: the clients of the metering platform, when there is one. */
async function platform (fastify: FastifyInstance): Promise<void> {
  const { config } = fastify
  const key = config.REVENIUM_PLATFORM_API_KEY
  fastify.decorate('platform', key === undefined ? null : openPlatforms(config, key))
}

export default fp(platform, { name: 'platform', dependencies: ['config'] })
