import { unixNow } from '../lib/clock.js'
import { createMeteringClient, type MeteringClient } from '../lib/metering/metering-client.js'
import { createCallFilter, type CallFilter } from '../lib/metering/call-filter.js'
import { createPlatform } from '../lib/metering/platform.js'
import { PROFILES, type Profile } from '../lib/metering/profiles.js'
import { DEFAULT_METERING_PROFILE, METERING_PROFILES } from '../schemas/metering-settings.js'
import { openApiKey } from './api-key.js'
import { choiceSetting, listSetting, numberSetting, textSetting, timeoutSetting, type Environment } from './settings.js'

const DEFAULT_TIMEOUT_MS = 5_000
const DEFAULT_CONCURRENCY = 16
const YES_NO = ['true', 'false'] as const

/** @throws SettingsError */
export function profileOf (env: Environment): Profile {
  return PROFILES[choiceSetting(env, 'METERING_PROFILE', METERING_PROFILES, DEFAULT_METERING_PROFILE)]
}

/** @throws SettingsError */
export function concurrencyOf (env: Environment): number {
  return numberSetting(env, 'METERING_CONCURRENCY', { otherwise: DEFAULT_CONCURRENCY, min: 1, max: 256 })
}

/** @throws SettingsError */
export function openClient (env: Environment): MeteringClient {
  const profile = profileOf(env)
  const platform = createPlatform({
    baseUrl: textSetting(env, 'REVENIUM_PLATFORM_API') ?? profile.defaultUrl,
    apiKey: openApiKey(env),
    timeoutMs: timeoutSetting(env, DEFAULT_TIMEOUT_MS),
    maxConnections: concurrencyOf(env)
  })
  return createMeteringClient({ platform, profile, now: unixNow, random: Math.random })
}

/** @throws SettingsError | TypeError */
export function openFilter (env: Environment): CallFilter {
  return createCallFilter({
    turnedAway: choiceSetting(env, 'METER_TURNED_AWAY', YES_NO, 'false') === 'true',
    anonymous: choiceSetting(env, 'METER_ANONYMOUS', YES_NO, 'false') === 'true',
    excludeMethods: listSetting(env, 'METER_EXCLUDE_METHODS'),
    excludePaths: listSetting(env, 'METER_EXCLUDE_PATHS'),
    excludeStatuses: listSetting(env, 'METER_EXCLUDE_STATUSES')
  })
}
