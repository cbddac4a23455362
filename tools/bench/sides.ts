import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { ConfigSchema } from '../../schemas/config.js'
import { BUILD } from '../shared/root.js'
import { findPort } from '../shared/ports.js'
import { startRedisCluster } from '../shared/redis-cluster.js'
import { startRedis, type RedisServer } from '../shared/redis.js'
import { THIS_BUILD, type Build } from './builds.js'
import type { BenchProcesses, Running } from './bench-processes.js'

const CLIENT_SECRET_KEY = 'client-secret-of-the-benchmark'

export const BACKENDS = ['embedded', 'Redis'] as const
export type Backend = typeof BACKENDS[number]

/** A process that takes requests on loopback. */
export interface Server extends Running {
  port: number
}

export interface Gateway extends Server {
  /** A fresh access token. */
  token (): Promise<string>
}

/** Where the items of one or more gateways wait. */
export interface Store {
  env: Record<string, string>
  /** The masters; none of the embedded spool. */
  nodes: RedisServer[]
  drop (): Promise<void>
}

/** An empty store that no other gateway uses. */
export async function openStore (processes: BenchProcesses, backend: Backend): Promise<Store> {
  if (backend === 'embedded') {
    const DATA_DIR = processes.folder()
    return { env: { DATA_DIR }, nodes: [], drop: async () => processes.removeFolder(DATA_DIR) }
  }
  // A queue should survive the end of Redis.
  const redis = await startRedis({ appendfsync: 'everysec' })
  return { env: { REDIS_URL: redis.url }, nodes: [redis], drop: () => redis.stop() }
}

/** An empty store of several masters without replicas. */
export async function openCluster (masters: number): Promise<Store> {
  const cluster = await startRedisCluster({ masters, args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] })
  return { env: { REDIS_URL: cluster.url }, nodes: cluster.masters, drop: () => cluster.stop() }
}

/** A CloudWatch in a process of its own that counts items and does not keep them. */
export async function startSandbox (processes: BenchProcesses): Promise<Server> {
  const port = await findPort()
  const running = await processes.start({
    name: 'the sandbox',
    command: process.execPath,
    args: [join(BUILD, 'tools/sandbox/main.js'), '--port', String(port), '--no-items'],
    readyUrl: `http://127.0.0.1:${port}/_sandbox/ledger`
  })
  return { ...running, port }
}

/** Fastify with the same schemas and nothing behind them. */
export async function startBare (processes: BenchProcesses): Promise<Server> {
  const port = await findPort()
  const running = await processes.start({
    name: 'the bare Fastify',
    command: process.execPath,
    args: [join(BUILD, 'tools/bench/children/bare.js')],
    env: { PORT: String(port), NODE_ENV: 'production' },
    readyUrl: `http://127.0.0.1:${port}/health/live`
  })
  return { ...running, port }
}

export interface GatewayOptions {
  /** Absent: the build of this checkout. */
  build?: Build
  sandbox: Server
  store: Store
  /** The value of the variable FORWARDER. */
  forwarder: 'on' | 'off' | 'only'
  /** Further variables. */
  env?: Record<string, string>
  /** Web processes that the gateway starts; absent: it is one process. */
  webProcesses?: number
  /** Whether to wait until the gateway is ready. Absent: true. */
  ready?: boolean
}

/** Starts the process that `npm start` and `npm run worker` run. */
export async function startGateway (processes: BenchProcesses, options: GatewayOptions): Promise<Gateway> {
  const { build = THIS_BUILD, webProcesses } = options
  const port = await findPort()
  const [command, args] = webProcesses === undefined
    ? [join(build.root, 'node_modules/.bin/fastify'), ['start', '-c', 'fastify.config.cjs', 'dist/app.js']]
    : [process.execPath, ['dist/start.js']]
  const running = await processes.start({
    name: options.forwarder === 'only' ? 'npm run worker' : 'npm start',
    command,
    args,
    cwd: build.root,
    env: { ...gatewayEnv(port, options), ...(webProcesses !== undefined && { WEB_CONCURRENCY: String(webProcesses) }) },
    ...(options.ready !== false && { readyUrl: readyUrl(port) })
  })
  return {
    ...running,
    port,
    async token () {
      const answer = await fetch(`http://127.0.0.1:${port}/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID()) })
      })
      return (await answer.json() as { accessToken: string }).accessToken
    }
  }
}

export function readyUrl (port: number): string {
  return `http://127.0.0.1:${port}/health/ready`
}

/** The environment of a process that calls AWS. */
export function awsEnv (sandbox: Server): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_CLOUDWATCH: '',
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: '',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${sandbox.port}`,
    AWS_ACCESS_KEY_ID: 'benchmark',
    AWS_SECRET_ACCESS_KEY: 'benchmark',
    AWS_REGION: 'eu-west-1'
  }
}

/** The environment of a gateway. It sets every variable, as the caller's environment and `.env` must not count. */
export function gatewayEnv (
  port: number, { sandbox, store, forwarder, env = {} }: Omit<GatewayOptions, 'build'>
): Record<string, string> {
  const unset = Object.fromEntries(Object.keys(ConfigSchema.properties).map(name => [name, '']))
  return {
    ...unset,
    ...awsEnv(sandbox),
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    WORKER_PORT: String(port),
    CLIENT_SECRET_KEY,
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-benchmark',
    RATE_LIMIT_PER_MINUTE: '0',
    FAILURES_PER_MINUTE: '0',
    FORWARDER: forwarder,
    ...store.env,
    ...env
  }
}
