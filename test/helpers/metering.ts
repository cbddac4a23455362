import { gzipSync } from 'node:zlib'
import { fixedKey, type ApiKey } from '../../lib/metering/api-key.js'
import type { MeteredCall } from '../../lib/metering/metered-call.js'
import { createMeteringClient, type MeteringClient } from '../../lib/metering/metering-client.js'
import { createPlatform, type Platform } from '../../lib/metering/platform.js'
import { PROFILES } from '../../lib/metering/profiles.js'
import type { MeteringProfile } from '../../schemas/metering-settings.js'
import type { PlatformSandbox } from '../../tools/sandbox/platform/platform-sandbox.js'
import { startPlatform, type PlatformSandboxOptions } from '../../tools/sandbox/platform/platform-server.js'
import type { Teardown } from './teardown.js'

export const CALLED_AT = Date.UTC(2026, 10, 22, 12)

/** What an HTTP API writes about one call, in the format of the templates. */
const FIELDS = {
  extendedRequestId: 'X1',
  requestId: '9f4d6c1e-3d2b-4a70-8f57-0d1c2b3a4e5f',
  requestTimeEpoch: String(CALLED_AT),
  apiId: 'abcdef123',
  stage: '$default',
  httpMethod: 'GET',
  status: '200',
  integrationStatus: '200',
  integrationLatency: '31',
  responseLatency: '38',
  responseLength: '1024',
  sourceIp: '203.0.113.7',
  protocol: 'HTTP/1.1',
  clientId: 'acme',
  principalId: 'acme',
  path: '/orders/7',
  userAgent: 'curl/8.5.0'
}

/** @param fields instead of the usual ones; undefined leaves the key out */
export function accessLogLine (
  fields: Partial<Record<keyof typeof FIELDS | 'authorizerError', string | undefined>> = {}
): string {
  return JSON.stringify({ ...FIELDS, ...fields })
}

/** Lines about this many calls, each with an id of its own. */
export function accessLogLines (count: number, fields: Parameters<typeof accessLogLine>[0] = {}): string[] {
  return Array.from({ length: count }, (_, index) => accessLogLine({ extendedRequestId: `X${index}`, ...fields }))
}

export function envelope (messages: string[], fields: object = {}): object {
  return {
    messageType: 'DATA_MESSAGE',
    owner: '123456789012',
    logGroup: 'access',
    logStream: 'stream',
    subscriptionFilters: ['metering'],
    logEvents: messages.map(
      (message, index) => ({ id: String(index).padStart(56, '0'), timestamp: CALLED_AT + 1_000, message })
    ),
    ...fields
  }
}

export function pack (content: unknown): string {
  return gzipSync(typeof content === 'string' ? content : JSON.stringify(content)).toString('base64')
}

/** The event that CloudWatch Logs sends about these lines. */
export function subscriptionEvent (messages: string[], fields: object = {}): { awslogs: { data: string } } {
  return { awslogs: { data: pack(envelope(messages, fields)) } }
}

export function meteredCall (id: string, fields: Partial<MeteredCall> = {}): MeteredCall {
  return {
    id,
    timestamp: CALLED_AT,
    application: 'acme',
    method: 'GET',
    url: '/orders',
    responseCode: 200,
    turnedAway: false,
    ...fields
  }
}

export interface TestPlatform {
  sandbox: PlatformSandbox
  platform: Platform
  client: MeteringClient
}

export interface TestPlatformOptions extends PlatformSandboxOptions {
  profile?: MeteringProfile
  key?: ApiKey
  timeoutMs?: number
  totalTimeoutMs?: number
  maxConnections?: number
}

/** A platform on loopback and a client for it, quick to retry; closed with the test. */
export async function openTestPlatform (t: Teardown, options: TestPlatformOptions = {}): Promise<TestPlatform> {
  const {
    profile = 'v1-meter',
    key = fixedKey('hak_sandbox'),
    timeoutMs = 5_000,
    totalTimeoutMs,
    maxConnections = 8
  } = options
  const sandbox = await startPlatform(options)
  const platform = createPlatform({
    baseUrl: sandbox.urls[profile],
    apiKey: key,
    timeoutMs,
    maxConnections,
    ...(totalTimeoutMs !== undefined && { totalTimeoutMs })
  })
  t.teardown(() => sandbox.close())
  const quick = { floorMs: 0, baseMs: 5, capMs: 20 }
  const backoff = { retry: quick, denied: quick, conflict: quick }
  return {
    sandbox,
    platform,
    client: createMeteringClient({ platform, profile: PROFILES[profile], now: Date.now, random: Math.random, backoff })
  }
}

export const inOneMinute = (): number => Date.now() + 60_000

/** Events that the platform has answered with a failure, or not at all. */
export function failuresOf (sandbox: PlatformSandbox): number {
  const statuses = Object.entries(sandbox.ledger().answers.meter ?? {})
  return statuses.reduce((sum, [status, times]) => status === '200' ? sum : sum + times, 0)
}
