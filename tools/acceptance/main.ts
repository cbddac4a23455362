/** Runs test/acceptance against the built gateway and a CloudWatch: a sandbox, moto_server, any endpoint, or AWS. */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run } from 'node:test'
import { finished } from 'node:stream/promises'
import { inspect, parseArgs } from 'node:util'
import { CloudWatchLogsClient, DeleteLogGroupCommand, paginateDescribeLogGroups } from '@aws-sdk/client-cloudwatch-logs'
import { ProcessError, startMotoProcess, startSandboxProcess, stopAllProcesses } from '../shared/processes.js'
import { startRedisCluster } from '../shared/redis-cluster.js'
import { startRedisSentinels } from '../shared/redis-sentinels.js'
import { BUILD } from '../shared/root.js'
import { createScreen } from '../shared/screen.js'

const USAGE = `Usage: npm run test:acceptance [-- --moto | --aws] [--cluster | --sentinel] [-- COMMAND …]

Drives the built gateway from outside and reads back through the AWS SDK. Without an option it runs against
AWS_ENDPOINT_URL and its per-service forms or, when none is set, against a sandbox of its own.

  --moto   runs against moto_server (pip install 'moto[server]'), which must be on the PATH
  --aws    runs against AWS itself, with the credentials and the Region of the environment; deletes the log groups
           that it makes, while its metrics, some 30, cost less than a cent and expire by themselves

  --cluster    stores in a Redis Cluster of its own: three masters with a replica each, which has to confirm
               (SPOOL_SYNC=always)
  --sentinel   stores in a Redis of its own with two replicas and three Sentinels, likewise

  COMMAND      starts the gateway to be driven in place of the built one: with the variables that it is to run with
               (PORT and HOST among them), and it ends on SIGTERM and SIGKILL

REDIS_URL set: the gateway stores in that Redis; else, without one of the two, in a temporary folder.
`
const FOLDER = join(BUILD, 'test/acceptance')
const ENDPOINT_VARIABLES = ['AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_CLOUDWATCH', 'AWS_ENDPOINT_URL_CLOUDWATCH_LOGS']
const RUN = `cloudwatch-postman-acceptance/${randomBytes(4).toString('hex')}`
const INTERRUPTED = 130

type Endpoint = 'sandbox' | 'moto' | 'given' | 'aws'
/** The fields of a finished test's event that are read here. */
interface Finished {
  name: string
  skip?: string | boolean
  details: { duration_ms: number, error?: Error & { cause?: unknown } }
}

const { env } = process
const screen = createScreen(process.stdout)
const { style } = screen

/** Points the SDK of every process of this run at an endpoint that asks for no real credentials. */
function useEndpoint (url: string): void {
  for (const name of ENDPOINT_VARIABLES) delete env[name]
  Object.assign(env, { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
}

/** @returns the endpoint in words */
async function openEndpoint (endpoint: Endpoint): Promise<string> {
  env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
  if (endpoint === 'aws') {
    for (const name of ENDPOINT_VARIABLES) delete env[name]
    if (env.AWS_REGION === undefined) throw new Error('AWS_REGION is not set: --aws needs the Region to run in.')
    return `AWS, ${env.AWS_REGION}`
  }
  env.AWS_REGION ??= 'us-east-1'
  if (endpoint === 'given') {
    return ENDPOINT_VARIABLES.flatMap(name => env[name] ?? []).join(' and ')
  }
  const { url } = endpoint === 'moto' ? await startMotoProcess() : await startSandboxProcess()
  useEndpoint(url)
  // moto_server inflates a compressed call twice, and fails.
  if (endpoint === 'moto') env.AWS_DISABLE_REQUEST_COMPRESSION = 'true'
  return `${endpoint === 'moto' ? 'moto_server' : 'a sandbox'} on ${url}`
}

/** Stores that this run starts for itself. */
const STORES = {
  cluster: {
    inWords: 'the spool in a Redis Cluster of three masters with a replica each',
    start: () => startRedisCluster({ replicas: 1 })
  },
  sentinel: {
    inWords: 'the spool in a Redis with two replicas and three Sentinels',
    start: () => startRedisSentinels({ replicas: 2 })
  }
}

type OwnStore = keyof typeof STORES

interface Options {
  endpoint: Endpoint
  own: OwnStore | null
  /** Starts the gateway in place of the built one; empty: the built one. */
  command: string[]
}

/** @returns the store in words, and what ends it */
async function openStore (own: OwnStore | null): Promise<{ store: string, close: () => Promise<void> }> {
  if (own === null) {
    const isEmbedded = env.REDIS_URL === undefined || env.REDIS_URL === ''
    return { store: isEmbedded ? 'the embedded spool' : 'the spool in Redis', close: async () => {} }
  }
  const { inWords, start } = STORES[own]
  const { url, stop } = await start()
  Object.assign(env, { REDIS_URL: url, SPOOL_SYNC: 'always' })
  return { store: inWords, close: stop }
}

async function deleteLogGroups (): Promise<number> {
  const logs = new CloudWatchLogsClient()
  const names: string[] = []
  for await (const { logGroups } of paginateDescribeLogGroups({ client: logs }, { logGroupNamePrefix: `/${RUN}/` })) {
    names.push(...(logGroups ?? []).map(group => group.logGroupName!))
  }
  for (const logGroupName of names) await logs.send(new DeleteLogGroupCommand({ logGroupName }))
  logs.destroy()
  return names.length
}

function showFailure ({ details: { error } }: Finished): void {
  for (const line of inspect(error?.cause ?? error).split('\n')) screen.line(`    ${line}`)
}

/** Runs every file of the folder, one after the other, and prints a line per test. */
async function runTests (signal: AbortSignal): Promise<{ passed: number, failed: string[], skipped: number }> {
  const files = readdirSync(FOLDER).filter(name => name.endsWith('.acceptance.js')).sort().map(name =>
    join(FOLDER, name))
  const result = { passed: 0, failed: [] as string[], skipped: 0 }
  const events = run({ files, concurrency: false, signal })
  events.on('test:start', ({ name }) => screen.progress(() => basename(name)))
  events.on('test:pass', (test: Finished) => {
    if (test.skip === undefined) {
      result.passed += 1
      return screen.done(`${test.name} ${style('dim', `${Math.round(test.details.duration_ms)} ms`)}`)
    }
    result.skipped += 1
    screen.line(`${style('yellow', '–')} ${test.name} ${style('yellow', `skipped: ${test.skip}`)}`)
  })
  events.on('test:fail', (test: Finished) => {
    if (signal.aborted) return
    result.failed.push(test.name)
    screen.line(`${style('red', '✖')} ${test.name}`)
    showFailure(test)
  })
  await finished(events.resume())
  screen.end()
  return result
}

async function accept (options: Options, signal: AbortSignal): Promise<void> {
  screen.line()
  screen.progress(() => 'Starting')
  const where = await openEndpoint(options.endpoint)
  const { store, close } = await openStore(options.own)
  try {
    await acceptOn(`${store}, against ${where}`, options, signal)
  } finally {
    await close()
  }
}

async function acceptOn (where: string, { endpoint, command }: Options, signal: AbortSignal): Promise<void> {
  const what = command.length === 0 ? 'the built gateway' : `the gateway of ${command.join(' ')}`
  screen.line(style('bold', `Acceptance: ${what} on ${where}`))
  screen.line()
  Object.assign(env, {
    ACCEPTANCE_ENDPOINT: endpoint,
    ACCEPTANCE_RUN: RUN,
    ...(command.length > 0 && { ACCEPTANCE_COMMAND: JSON.stringify(command) })
  })
  const { passed, failed, skipped } = await runTests(signal)
  screen.progress(() => 'Deleting log groups')
  const deleted = await deleteLogGroups()

  screen.line()
  screen.line(
    style(
      'bold', `${passed} passed, ${failed.length} failed, ${skipped} skipped`
    ) + style('dim', `; ${deleted} log groups deleted`)
  )
  if (signal.aborted) screen.line('Interrupted before its end.')
  for (const name of failed) screen.line(style('red', `✖ ${name}`))
  screen.line()
  if (failed.length > 0 || passed === 0) process.exitCode = 1
}

async function main (options: Options): Promise<void> {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort())
  try {
    await accept(options, interrupted.signal)
  } catch (error) {
    screen.end()
    process.stderr.write(`${(error as Error).message}\n`)
    if (error instanceof ProcessError && error.output !== '') process.stderr.write(`${error.output}\n`)
    process.exitCode = 1
  }
  await stopAllProcesses()
  if (interrupted.signal.aborted) process.exitCode = INTERRUPTED
}

const { values, positionals: command } = parseArgs({
  allowPositionals: true,
  options: {
    moto: { type: 'boolean', default: false },
    aws: { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    sentinel: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})
const given = ENDPOINT_VARIABLES.some(name => env[name] !== undefined && env[name] !== '')
if (values.help) process.stdout.write(USAGE)
else {
  await main({
    endpoint: values.aws ? 'aws' : values.moto ? 'moto' : given ? 'given' : 'sandbox',
    own: values.cluster ? 'cluster' : values.sentinel ? 'sentinel' : null,
    command
  })
}
