import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { connectRedis } from '../../lib/redis/connect.js'
import { readRedisUrl } from '../../lib/redis/redis-address.js'
import { mastersOf } from '../../lib/redis/redis-client.js'
import type { IntakeAnswer } from '../../schemas/intake.js'
import { findPort } from '../../tools/shared/ports.js'
import { startGatewayProcess } from '../../tools/shared/processes.js'
import { ROOT } from '../../tools/shared/root.js'

const { env } = process

// With the process its gateways end too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** What CloudWatch is played by: a sandbox, moto_server, another endpoint, or AWS itself. */
export const ENDPOINT = env.ACCEPTANCE_ENDPOINT as 'sandbox' | 'moto' | 'given' | 'aws'
/** What every namespace and, after a slash, every log group of this run starts with. */
export const RUN = env.ACCEPTANCE_RUN!
/** Starts the gateway in place of the built one. */
const COMMAND = env.ACCEPTANCE_COMMAND === undefined ? undefined : JSON.parse(env.ACCEPTANCE_COMMAND) as string[]
/** AWS shows a data point up to minutes after it has taken it. */
const READ_TIMEOUT_MS = ENDPOINT === 'sandbox' || ENDPOINT === 'moto' ? 20_000 : 300_000
const READ_INTERVAL_MS = ENDPOINT === 'aws' ? 3_000 : 100
/** Every test may wait once for what it reads. */
export const TEST_TIMEOUT_MS = READ_TIMEOUT_MS + 60_000

const CLIENT_SECRET = 'client-secret-of-the-acceptance-run'

export const namespaceOf = (name: string): string => `${RUN}/${name}`
export const logGroupOf = (name: string): string => `/${RUN}/${name}`

/** For a test's options: skips it by name, with the reason, at an endpoint that deviates from CloudWatch. */
export function deviates (endpoint: typeof ENDPOINT, reason: string): { skip?: string } {
  return ENDPOINT === endpoint ? { skip: reason } : {}
}

/** Asks until the answer is not undefined. */
export async function eventually<T> (what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + READ_TIMEOUT_MS
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`${what}: not there after ${READ_TIMEOUT_MS / 1000} s`)
    await sleep(READ_INTERVAL_MS)
  }
}

export interface Answer<Body> {
  status: number
  headers: Headers
  body: Body
}

export interface ErrorBody {
  error: { code: number, message: string }
  rejected?: IntakeAnswer['rejected']
}

/** The built server on its spool, which outlives restarts. */
export interface Gateway {
  url: string
  clientToken (): string
  accessToken (): Promise<string>
  get<Body> (path: string): Promise<Answer<Body>>
  /** @param body undefined for none at all */
  post<Body = IntakeAnswer> (path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<Body>>
  /** Posts with an access token. */
  send<Body = IntakeAnswer> (path: '/metric' | '/logEvents', body: unknown, headers?: Record<string, string>): Promise<Answer<Body>>
  stop (signal: NodeJS.Signals): Promise<void>
  start (): Promise<void>
}

async function readAnswer<Body> (response: Response): Promise<Answer<Body>> {
  return { status: response.status, headers: response.headers, body: await response.json() as Body }
}

/** Leaves nothing of this run in a Redis that others use too. */
async function deleteKeys (prefix: string): Promise<void> {
  if (env.REDIS_URL === undefined || env.REDIS_URL === '') return
  const redis = await connectRedis(readRedisUrl(env.REDIS_URL)!, {
    sentinelPassword: env.REDIS_SENTINEL_PASSWORD, onWarning: () => {}
  })
  for (const node of mastersOf(redis)) {
    for await (const keys of node.scanStream({ match: `*${prefix}*`, count: 1_000 }) as AsyncIterable<string[]>) {
      // Each by itself: those of a page are of several slots.
      await Promise.all(keys.map(key => node.unlink(key)))
    }
  }
  redis.disconnect()
}

/** Starts a gateway for the tests of one file; it ends with them. */
export async function startGateway (environment: Record<string, string> = {}): Promise<Gateway> {
  const folder = mkdtempSync(join(tmpdir(), 'cloudwatch-postman-acceptance-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const port = await findPort()
  const url = `http://127.0.0.1:${port}`
  const prefix = `acceptance-${randomUUID()}`
  const start = () => startGatewayProcess({
    ...env,
    CLIENT_SECRET_KEY: CLIENT_SECRET,
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-acceptance-run',
    DATA_DIR: join(folder, 'data'),
    REDIS_PREFIX: prefix,
    FLUSH_INTERVAL_MS: '250',
    LOG_LEVEL: 'warn',
    ...environment
  }, port, folder, { app: join(ROOT, 'dist/app.js'), ...(COMMAND && { command: COMMAND }) })
  let server = await start()
  after(async () => {
    await server.stop()
    await deleteKeys(prefix)
  })

  const clientToken = () => createClientToken(CLIENT_SECRET, Date.now(), randomUUID())
  async function post<Body> (path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    const json = body === undefined ? {} : { headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) }
    return await readAnswer(await fetch(url + path, { method: 'POST', ...json }))
  }
  async function accessToken (): Promise<string> {
    return (await post<{ accessToken: string }>('/token', { clientToken: clientToken() })).body.accessToken
  }

  return {
    url,
    clientToken,
    accessToken,
    post,
    get: async path => await readAnswer(await fetch(url + path)),
    send: async (path, body, headers = {}) => await post(path, body, { Authorization: `Bearer ${await accessToken()}`, ...headers }),
    stop: async signal => await server.stop(signal),
    start: async () => { server = await start() }
  }
}
