import { unixNow } from '../lib/clock.js'
import { createEntitlement } from '../lib/metering/entitlement.js'
import { createPlatform } from '../lib/metering/platform.js'
import { PROFILES } from '../lib/metering/profiles.js'
import { DEFAULT_FAIL_MODE, DEFAULT_VERDICT_AGES, FAIL_MODES } from '../schemas/metering-settings.js'
import { openApiKey } from './api-key.js'
import { createAuthorizer, RESPONSE_MODES } from './authorizer-handler.js'
import { errorLine, writeLine } from './function-log.js'
import { choiceSetting, numberSetting, textSetting, timeoutSetting, type Environment } from './settings.js'

/**
 * For the reading of the key, the question and its repetition, whatever PLATFORM_TIMEOUT_MS is: FAIL_MODE decides after
 * it. API Gateway waits 10 s for an authorizer, a cold start included:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
 */
const MAX_QUESTION_MS = 8_000
const DEFAULT_TIMEOUT_MS = 3_000
const MAX_CONNECTIONS = 4
const DEFAULT_HEADER = 'clientId'

/** @throws SettingsError */
function open (env: Environment): ReturnType<typeof createAuthorizer> {
  const seconds = (name: string, otherwiseMs: number): number =>
    1_000 * numberSetting(env, name, { otherwise: otherwiseMs / 1_000, min: 0, max: 86_400 })
  let configFaults = 0
  return createAuthorizer({
    entitlement: createEntitlement({
      platform: createPlatform({
        baseUrl: textSetting(env, 'REVENIUM_PLATFORM_API') ?? PROFILES['v1-meter'].defaultUrl,
        apiKey: openApiKey(env),
        timeoutMs: timeoutSetting(env, DEFAULT_TIMEOUT_MS),
        totalTimeoutMs: MAX_QUESTION_MS,
        maxConnections: MAX_CONNECTIONS
      }),
      failMode: choiceSetting(env, 'FAIL_MODE', FAIL_MODES, DEFAULT_FAIL_MODE),
      now: unixNow,
      // The monotonic clock of an environment may stand still while Lambda has frozen it, and the breaker with it.
      monotonicNow: unixNow,
      ages: {
        entitledMs: seconds('VERDICT_TTL_SECONDS', DEFAULT_VERDICT_AGES.entitledMs),
        deniedMs: seconds('DENIED_TTL_SECONDS', DEFAULT_VERDICT_AGES.deniedMs),
        // Lambda freezes the process with the answer: a verdict is renewed before it, or its renewal would run out of
        // time.
        staleMs: 0,
        staleIfErrorMs: seconds('STALE_IF_ERROR_SECONDS', DEFAULT_VERDICT_AGES.staleIfErrorMs)
      },
      onUnknown ({ class: failureClass, message }) {
        const isConfigFault = failureClass === 'denied'
        if (isConfigFault) configFaults++
        writeLine(errorLine(isConfigFault
          ? 'the metering platform cannot be asked: check its key and its address'
          : 'the metering platform gives no verdict', { class: failureClass, reason: message }))
      }
    }),
    headerName: textSetting(env, 'CLIENT_ID_HEADER') ?? DEFAULT_HEADER,
    responseMode: choiceSetting(env, 'RESPONSE_MODE', RESPONSE_MODES, 'policy'),
    takeConfigFaults () {
      const faults = configFaults
      configFaults = 0
      return faults
    },
    now: unixNow,
    write: writeLine
  })
}

let opened: ReturnType<typeof open> | null = null

/** Opened by the first event, so that a wrong setting fails an invocation, with its reason in the log. */
export async function handler (event: unknown, context: { functionName: string }): Promise<unknown> {
  opened ??= open(process.env)
  return await opened(event, context)
}
