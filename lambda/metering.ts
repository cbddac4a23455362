import { createMeteringClient } from '../lib/metering/client.js'
import { rememberDelivered } from '../lib/metering/delivered-ids.js'
import { createFilter } from '../lib/metering/filter.js'
import { createPlatform } from '../lib/metering/platform.js'
import { DEFAULT_PROFILE, PROFILES, type ProfileName } from '../lib/metering/profiles.js'
import { openApiKey } from './api-key.js'
import { createMeteringHandler, type LambdaContext } from './metering-handler.js'
import { createQueueParking } from './parking.js'
import { writeLine } from './report.js'
import { choiceSetting, listSetting, numberSetting, requiredSetting, textSetting, timeoutSetting, type Environment } from './settings.js'

const DEFAULT_TIMEOUT_MS = 5_000
const DEFAULT_CONCURRENCY = 16
/** About 10 MB. */
const REMEMBERED_CALLS = 50_000
const YES_NO = ['true', 'false'] as const

/** @throws SettingsError */
function open (env: Environment): ReturnType<typeof createMeteringHandler> {
  const profile = PROFILES[choiceSetting(env, 'METERING_PROFILE', Object.keys(PROFILES) as ProfileName[], DEFAULT_PROFILE)]
  const concurrency = numberSetting(env, 'METERING_CONCURRENCY', { otherwise: DEFAULT_CONCURRENCY, min: 1, max: 256 })
  return createMeteringHandler({
    client: createMeteringClient({
      platform: createPlatform({
        baseUrl: textSetting(env, 'REVENIUM_PLATFORM_API') ?? profile.defaultUrl,
        apiKey: openApiKey(env),
        timeoutMs: timeoutSetting(env, DEFAULT_TIMEOUT_MS),
        maxSockets: concurrency
      }),
      profile,
      now: Date.now,
      random: Math.random
    }),
    filter: createFilter({
      turnedAway: choiceSetting(env, 'METER_TURNED_AWAY', YES_NO, 'false') === 'true',
      anonymous: choiceSetting(env, 'METER_ANONYMOUS', YES_NO, 'false') === 'true',
      excludeMethods: listSetting(env, 'METER_EXCLUDE_METHODS'),
      excludePaths: listSetting(env, 'METER_EXCLUDE_PATHS'),
      excludeStatuses: listSetting(env, 'METER_EXCLUDE_STATUSES')
    }),
    delivered: rememberDelivered({ max: REMEMBERED_CALLS, now: Date.now }),
    parking: createQueueParking({
      parkingQueueUrl: requiredSetting(env, 'PARKING_QUEUE_URL', 'the URL of the queue for calls that are sent again later'),
      deadLetterQueueUrl: requiredSetting(env, 'DEAD_LETTER_QUEUE_URL', 'the URL of the queue for what cannot be metered')
    }),
    concurrency,
    now: Date.now,
    write: writeLine
  })
}

let opened: ReturnType<typeof open> | null = null

/** Opened by the first event, so that a wrong setting fails an invocation, with its reason in the log. */
export async function handler (event: unknown, context: LambdaContext): Promise<unknown> {
  opened ??= open(process.env)
  return await opened(event, context)
}
