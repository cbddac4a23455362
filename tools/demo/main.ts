/** Shows the gateway at work, without Redis, AWS account or configuration. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { parseArguments } from '../cli/arguments.js'
import { ArgumentError } from '../cli/usage-error.js'
import type { CallRecord, LedgerSnapshot } from '../sandbox/ledger.js'
import { startFleetDemo } from './fleet.js'
import { compare, createReader } from './read-back.js'
import { inviteToMetering, startMeteringDemo } from './metering.js'
import { reportComparison, reportInvitation, reportSpecials, reportTraffic } from './report.js'
import { count, createScreen } from '../shared/screen.js'
import { BROWSERS, createShop, LOG_GROUP, NAMESPACE, type Shop } from './shop.js'
import { findPort } from '../shared/ports.js'
import {
  bareEnvironment, ProcessError, startGatewayProcess, startSandboxProcess, stopAllProcesses,
  type Environment, type ServerProcess
} from '../shared/processes.js'

const PREFERRED_PORT = 8080
const REGION = 'eu-west-1'
const WAIT_SECONDS = 5
const DELIVERY_TIMEOUT_MS = 20_000
const POLL_MS = 200
/** Exit code of a command that Ctrl-C has ended before its time. */
const INTERRUPTED = 130
const REPEATED_SIGNAL_MS = 500

class DemoError extends Error {
  override name = 'DemoError'
}

// The demo's own SDK clients would print the warning amid its output.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const screen = createScreen(process.stdout)
const secret = (): string => randomBytes(24).toString('base64url')

function gatewayEnvironment (sandboxUrl: string, folder: string, clientSecret: string): Environment {
  return {
    ...bareEnvironment(),
    CLIENT_SECRET_KEY: clientSecret,
    ACCESS_TOKEN_SECRET_KEY: secret(),
    ADMIN_TOKEN: secret(),
    AWS_REGION: REGION,
    AWS_ENDPOINT_URL: sandboxUrl,
    AWS_ACCESS_KEY_ID: 'demo',
    AWS_SECRET_ACCESS_KEY: 'demo',
    AWS_CONFIG_FILE: join(folder, 'none'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    DATA_DIR: join(folder, 'data'),
    SHUTDOWN_GRACE_MS: '1000',
    LOG_LEVEL: 'warn'
  }
}

async function askSandbox<T> (sandbox: ServerProcess, path: string): Promise<T> {
  return await (await fetch(`${sandbox.url}/_sandbox/${path}`)).json() as T
}

async function whenDelivered (sandbox: ServerProcess, items: number): Promise<LedgerSnapshot> {
  const deadline = Date.now() + DELIVERY_TIMEOUT_MS
  for (;;) {
    const ledger = await askSandbox<LedgerSnapshot>(sandbox, 'ledger')
    if (ledger.dataPoints + ledger.events >= items) return ledger
    if (Date.now() > deadline) {
      throw new DemoError(
        `${count(items - ledger.dataPoints - ledger.events)} items are not delivered after ` +
          `${DELIVERY_TIMEOUT_MS / 1000} s.`
      )
    }
    await sleep(POLL_MS)
  }
}

async function sendTraffic (shop: Shop) {
  screen.progress(() =>
    `${BROWSERS} browsers in a small shop: ${count(shop.sent.requests)} requests, ${count(shop.items())} items`)
  await shop.open()
  const badItem = await shop.sendBadItem()
  const waited = await shop.sendAndWait(WAIT_SECONDS)
  reportTraffic(screen, shop.sent, shop.items())
  return { badItem, waited }
}

async function show (gateways: ServerProcess[], sandbox: ServerProcess, clientSecret: string): Promise<void> {
  const start = Date.now()
  const shop = createShop(gateways.map(({ url }) => url), clientSecret)
  const { badItem, waited } = await sendTraffic(shop)

  screen.progress(() => 'Waiting for the last delivery')
  const ledger = await whenDelivered(sandbox, shop.items())
  const reader = createReader({
    endpoint: sandbox.url,
    region: REGION,
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' }
  })
  const stored = await reader.read(NAMESPACE, LOG_GROUP, start).finally(() => reader.close())
  const comparisons = compare(shop.sent, stored)
  reportComparison(screen, comparisons, ledger)
  reportSpecials(screen, badItem, waited, WAIT_SECONDS)
  if (!comparisons.every(({ same }) => same)) throw new DemoError('The items read back are not the items sent.')
}

/** Prints each delivery that the visitor causes, until the sandbox ends. */
async function watchDeliveries (sandbox: ServerProcess): Promise<never> {
  let seen = Date.now()
  for (;;) {
    await sleep(POLL_MS)
    const calls = (await askSandbox<CallRecord[]>(sandbox, 'calls')).filter(({ at, items, error }) => at > seen &&
      items > 0 && error === undefined)
    for (const { action, destination, items, at } of calls) {
      seen = at
      screen.line(
        `${screen.style('green', '→')} ${action}  ${destination}  ${items === 1 ? '1 item' : `${count(items)} items`}`
      )
    }
  }
}

/** A process that has ended says more than the call that met it dead. */
async function unlessEnded<T> (work: Promise<T>, ended: Promise<never>): Promise<T> {
  return await Promise.race([ended, work.catch(async error => {
    await Promise.race([ended, sleep(POLL_MS)])
    throw error
  })])
}

async function demo (folder: string, once: boolean): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'cloudwatch-postman demo'))
  screen.line()
  screen.progress(() => 'Starting a CloudWatch sandbox and the gateway')
  const clientSecret = secret()
  const sandbox = await startSandboxProcess()
  const gateway = await startGatewayProcess(
    gatewayEnvironment(sandbox.url, folder, clientSecret), await findPort(PREFERRED_PORT), folder
  )
  screen.done('A CloudWatch sandbox and the gateway are up: no Redis, no AWS account, nothing to configure')

  const ended = Promise.race([gateway.ended, sandbox.ended])
  await unlessEnded(show([gateway], sandbox, clientSecret), ended)
  if (!once) await invite(gateway, sandbox, clientSecret, ended)
}

/** Resolves never; rejects when a process ends. */
async function invite (
  gateway: ServerProcess, sandbox: ServerProcess, clientSecret: string, ended: Promise<never>
): Promise<void> {
  const clientToken = createClientToken(clientSecret, Date.now(), randomBytes(4).toString('hex'))
  reportInvitation(screen, { gatewayUrl: gateway.url, sandboxUrl: sandbox.url, clientToken })
  await unlessEnded(watchDeliveries(sandbox), ended)
}

async function demoCluster (folder: string, once: boolean): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'cloudwatch-postman demo: one gateway on a Redis Cluster'))
  screen.line()
  screen.progress(() => 'Starting a CloudWatch sandbox, a Redis Cluster, two web processes and a worker')
  const clientSecret = secret()
  const sandbox = await startSandboxProcess()
  const fleet = await startFleetDemo(gatewayEnvironment(sandbox.url, folder, clientSecret), PREFERRED_PORT, folder)
  try {
    screen.done('A CloudWatch sandbox, a Redis Cluster of three nodes, two web processes and a worker are up')
    const ended = Promise.race([fleet.ended, sandbox.ended])
    await unlessEnded(show(fleet.webs, sandbox, clientSecret), ended)
    await fleet.showShares(screen)
    if (!once) await invite(fleet.webs[0]!, sandbox, clientSecret, ended)
  } finally {
    await fleet.close()
  }
}

async function demoMetering (folder: string, once: boolean): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'cloudwatch-postman demo: metering'))
  screen.line()
  screen.progress(() => 'Starting a CloudWatch sandbox, a metering platform and the gateway')
  const metering = await startMeteringDemo()
  try {
    const clientSecret = secret()
    const environment = { ...gatewayEnvironment(metering.sandboxUrl, folder, clientSecret), ...metering.environment }
    const gateway = await startGatewayProcess(environment, await findPort(PREFERRED_PORT), folder)
    screen.done('A CloudWatch sandbox, a metering platform and the gateway are up')
    await unlessEnded(metering.show(screen, gateway.url, clientSecret), gateway.ended)
    if (once) return
    inviteToMetering(screen, {
      gatewayUrl: gateway.url,
      platformUrl: metering.platformUrl,
      environment: metering.environment
    })
    await gateway.ended
  } finally {
    await metering.close()
  }
}

type Work = (folder: string, once: boolean) => Promise<void>

function explain (error: Error): void {
  screen.end()
  process.stderr.write(`\n  ${error.message}\n`)
  if (!(error instanceof ProcessError)) return
  if (error.output !== '') process.stderr.write(`\n${error.output.replace(/^/gm, '    ')}\n`)
  process.stderr.write('\n  Run the demo again. If it fails again, report the lines above.\n')
}

/**
 * Resolves when the visitor ends the demo, or cannot see it any more. A second Ctrl-C ends at once; npm passes on the
 * signal that the terminal has sent already, which does not count as one.
 */
function whenInterrupted (): Promise<'interrupted'> {
  let first: number | null = null
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        first ??= Date.now()
        if (Date.now() - first > REPEATED_SIGNAL_MS) process.exit(INTERRUPTED)
        resolve('interrupted')
      })
    }
    process.stdout.on('error', () => resolve('interrupted'))
  })
}

/** @returns the exit code */
async function runToEnd (work: Work, once: boolean): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudwatch-postman-demo-'))
  const interrupted = whenInterrupted()
  const working = work(folder, once)
  let exitCode = 0
  try {
    if (await Promise.race([working, interrupted]) === 'interrupted') {
      if (once) exitCode = INTERRUPTED
      screen.progress(() => 'Delivering the waiting items, and ending')
    }
  } catch (error) {
    explain(error as Error)
    exitCode = 1
  }
  await stopAllProcesses()
  await working.catch(() => {})
  await rm(folder, { recursive: true, force: true })
  screen.line()
  if (exitCode === 0) screen.done('Ended; nothing is left behind')
  return exitCode
}

/**
 * The command `demo`, of which tools/cli/demo.ts has the usage.
 * @returns the exit code
 * @throws ArgumentError
 */
export async function runDemo (args: string[]): Promise<number> {
  const { values: { once, cluster, metering } } = parseArguments({
    args,
    options: {
      once: { type: 'boolean', default: false },
      cluster: { type: 'boolean', default: false },
      metering: { type: 'boolean', default: false }
    }
  })
  if (cluster && metering) throw new ArgumentError('Say either --cluster or --metering')
  return await runToEnd(metering ? demoMetering : cluster ? demoCluster : demo, once)
}
