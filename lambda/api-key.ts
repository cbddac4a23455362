import { unixNow } from '../lib/clock.js'
import { ApiKeyError, createFetchedKey, fixedKey, type ApiKey } from '../lib/metering/api-key.js'
import { isObject } from '../lib/guards.js'
import { requiredSetting, textSetting, type Environment } from './settings.js'

/** A rotated key is in use after this time, or as soon as the platform refuses the old one. */
const MAX_AGE_MS = 300_000
/** A key that the platform refuses is read again no more often than this. */
const MIN_AGE_MS = 15_000

/** The platform's key: in the environment, or in a secret that the environment names. @throws SettingsError */
export function openApiKey (env: Environment): ApiKey {
  const key = textSetting(env, 'REVENIUM_PLATFORM_API_KEY')
  if (key !== undefined) return fixedKey(key)
  const secretId = requiredSetting(
    env,
    'REVENIUM_PLATFORM_API_KEY_SECRET',
    'the ARN of the secret with the platform\'s key, unless REVENIUM_PLATFORM_API_KEY is set'
  )
  return createFetchedKey({
    fetch: signal => fetchSecret(secretId, signal),
    now: unixNow,
    maxAgeMs: MAX_AGE_MS,
    minAgeMs: MIN_AGE_MS
  })
}

/** A secret is the key itself, or JSON with an `apiKey`. */
async function fetchSecret (secretId: string, abortSignal: AbortSignal | undefined): Promise<string> {
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager')
  const client = new SecretsManagerClient({
    maxAttempts: 2, requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true }
  })
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }), {
      ...(abortSignal !== undefined && { abortSignal })
    })
    return readSecret(SecretString ?? '')
  } finally {
    client.destroy()
  }
}

function readSecret (text: string): string {
  const key = text.trimStart().startsWith('{') ? keyOf(text) : text.trim()
  if (key === '') throw new ApiKeyError('the secret holds no key: it must be the key itself, or JSON with an apiKey')
  return key
}

function keyOf (text: string): string {
  try {
    const content: unknown = JSON.parse(text)
    return isObject(content) && typeof content.apiKey === 'string' ? content.apiKey.trim() : ''
  } catch {
    return ''
  }
}
