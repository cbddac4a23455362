import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import createValidators from '@fastify/ajv-compiler'
import Fastify, { type FastifyInstance } from 'fastify'
import { options } from '../../app.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { readTrustProxy } from '../../lib/http/trust-proxy.js'
import type { Sandbox } from '../../tools/sandbox/sandbox.js'
import { startSandbox } from '../../tools/sandbox/server.js'
import { openApp } from '../../tools/shared/open-app.js'
import { startRedis } from '../../tools/shared/redis.js'
import type { Teardown } from './teardown.js'

/** For machines on which many test files start at once. */
const PLUGIN_TIMEOUT_MS = 60_000
export const CLIENT_SECRET_KEY = 'client-secret-of-the-tests'

/** Fastify's own validators, which the gateways of a process share, as they have the same schemas. */
const schemaController = { compilersFactory: { buildValidator: createValidators() } }

export interface Gateway {
  app: FastifyInstance
  url: string
  sandbox: Sandbox
  /** A fresh access token. */
  token (): Promise<string>
  post (path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
}

/** The spools to run a suite on: both, or the one of REDIS_URL when that is set. */
export const BACKENDS = process.env.REDIS_URL === undefined ? ['embedded', 'redis'] as const : ['redis'] as const
export type Backend = 'embedded' | 'redis'

/**
 * A Redis that other tests use at the same time, so that each needs a prefix of its own: the one of REDIS_URL, the one
 * of the run, or, where a file runs by itself, one of this test.
 */
export async function redisUrl (t: Teardown): Promise<string> {
  const { REDIS_URL, TEST_REDIS_URL } = process.env
  const shared = REDIS_URL ?? TEST_REDIS_URL
  if (shared !== undefined) return shared
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  return redis.url
}

/** What makes a gateway use Redis, under a prefix of its own. */
export async function redisEnvironment (t: Teardown): Promise<{ REDIS_URL: string, REDIS_PREFIX: string }> {
  return { REDIS_URL: await redisUrl(t), REDIS_PREFIX: `test-${randomUUID()}` }
}

/** Points the SDK of this process at a new sandbox. */
export async function useSandbox (t: Teardown): Promise<Sandbox> {
  const sandbox = await startSandbox({})
  t.teardown(() => sandbox.close())
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: sandbox.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'
  })
  return sandbox
}

/** The whole app on a free port, delivering to a sandbox of its own. */
export async function startGateway (
  t: Teardown, environment: Record<string, string> = {}, backend: Backend = 'embedded'
): Promise<Gateway> {
  const sandbox = await useSandbox(t)
  const dataDir = await mkdtemp(join(tmpdir(), 'postman-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const redis = backend === 'redis' ? await redisEnvironment(t) : {}
  const instance = Fastify({
    ...options,
    schemaController,
    pluginTimeout: PLUGIN_TIMEOUT_MS,
    trustProxy: readTrustProxy(environment.TRUST_PROXY) ?? false
  })
  await instance.register(openApp, {
    environment: {
      CLIENT_SECRET_KEY,
      ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
      AWS_REGION: 'eu-west-1',
      DATA_DIR: dataDir,
      FLUSH_INTERVAL_MS: '50',
      SHUTDOWN_GRACE_MS: '8000',
      // A machine that is busy with other tests is no reason to refuse.
      MAX_EVENT_LOOP_DELAY_MS: '0',
      ...redis,
      ...environment
    }
  })
  const url = await instance.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(() => instance.close())

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) => fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body)
  })
  return {
    app: instance,
    url,
    sandbox,
    post,
    async token () {
      const answer = await post('/token', {
        clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID())
      })
      return (await answer.json() as { accessToken: string }).accessToken
    }
  }
}

/** Asks until the answer is not undefined. */
export async function eventually<T> (
  ask: () => T | undefined | Promise<T | undefined>, timeoutMs = 30_000, pauseMs = 20
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`nothing came within ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}
