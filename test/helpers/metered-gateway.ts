import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { PlatformSandbox } from '../../tools/sandbox/platform/platform-sandbox.js'
import { startPlatform } from '../../tools/sandbox/platform/platform-server.js'
import { eventually, redisEnvironment, startGateway, type Backend, type Gateway } from './app.js'
import type { Teardown } from './teardown.js'

export const ACCESS_KEY = 'access-key-of-the-tests'
export const METERING_ADMIN_TOKEN = 'admin-token-of-the-tests'
const BEARER = { authorization: `Bearer ${ACCESS_KEY}` }

export interface MeteredGateway extends Gateway {
  platform: PlatformSandbox
  postLogs (body: unknown, headers?: Record<string, string>): Promise<Response>
  /** @param records as Firehose has them: base64 */
  postFirehose (requestId: string, records: unknown[], headers?: Record<string, string>): Promise<Response>
  /** Reason and content of each dead letter, the oldest first. */
  deadLetters (): Promise<Array<{ message: string, line: string }>>
  /** Resolves when so many events are recorded. */
  metered (count: number): Promise<Array<Record<string, unknown>>>
}

/** A gateway with a platform of its own. */
export async function startMeteredGateway (
  t: Teardown, environment: Record<string, string> = {}, backend: Backend = 'embedded'
): Promise<MeteredGateway> {
  const platform = await startPlatform()
  t.teardown(() => platform.close())
  return await startGatewayFor(t, platform, environment, backend)
}

export async function startGatewayFor (
  t: Teardown,
  platform: PlatformSandbox,
  environment: Record<string, string> = {},
  backend: Backend = 'embedded'
): Promise<MeteredGateway> {
  const gateway = await startGateway(t, {
    REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
    REVENIUM_PLATFORM_API_KEY: 'hak_sandbox',
    METERING_ACCESS_KEY: ACCESS_KEY,
    ADMIN_TOKEN: METERING_ADMIN_TOKEN,
    ...environment
  }, backend)
  const { spool } = gateway.app
  return {
    ...gateway,
    platform,
    postLogs: (body, headers = BEARER) => gateway.post('/metering/access-logs', body, headers),
    postFirehose: (requestId, records, headers = {}) => gateway.post('/metering/firehose', {
      requestId, timestamp: Date.now(), records: records.map(data => ({ data }))
    }, {
      'x-amz-firehose-protocol-version': '1.0',
      'x-amz-firehose-request-id': requestId,
      'x-amz-firehose-source-arn': 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/amazon-apigateway-calls',
      'x-amz-firehose-access-key': ACCESS_KEY,
      ...headers
    }),
    async deadLetters () {
      const { deadLetters } = await spool.deadLetters.list({ kind: 'metering' }, { limit: 100 })
      return deadLetters.map(({ message, line }) => ({ message, line }))
    },
    async metered (count) {
      await eventually(() => platform.ledger().metered >= count ? true : undefined, 20_000)
      return platform.events().map(({ body }) => body)
    }
  }
}

/** What a gateway needs to find again what it had stored before it was started anew. */
export async function sameStore (t: Teardown, backend: Backend): Promise<Record<string, string>> {
  const DATA_DIR = await mkdtemp(join(tmpdir(), 'postman-metering-'))
  t.teardown(() => rm(DATA_DIR, { recursive: true, force: true }))
  return { DATA_DIR, ...(backend === 'redis' ? await redisEnvironment(t) : {}) }
}

/** Waits until nothing is left in the spool. */
export async function drained ({ app }: Gateway): Promise<void> {
  await eventually(async () => (await app.spool.ledger()).inSpool === 0 ? true : undefined, 20_000)
}

/** Every accepted call has one outcome, or still waits for it. */
export async function checkBalance (t: Test, { app }: Gateway): Promise<void> {
  const { accepted, delivered, deadLettered, inSpool } = await app.spool.ledger()
  t.equal(accepted, delivered + deadLettered + inSpool, 'the ledger balances')
}

/** Extended request ids of what was metered. */
export function idsOf (events: Array<Record<string, unknown>>): unknown[] {
  return events.map(({ correlationId }) => correlationId).sort()
}
