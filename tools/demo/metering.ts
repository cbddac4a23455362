/** The metering of API Gateway, on loopback: access log, subscription, gateway, platform. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand, PutSubscriptionFilterCommand } from '@aws-sdk/client-cloudwatch-logs'
import type { PlatformSandbox } from '../sandbox/platform/platform-sandbox.js'
import { startPlatform } from '../sandbox/platform/server.js'
import type { Sandbox } from '../sandbox/sandbox.js'
import { startSandbox } from '../sandbox/server.js'
import { count, type Screen } from '../shared/screen.js'

const STAGE = { logGroupName: '/aws/apigateway/orders/prod', logStreamName: 'access' }
const FUNCTION_NAME = 'metering'
const FUNCTION_ARN = `arn:aws:lambda:eu-west-1:000000000000:function:${FUNCTION_NAME}`
const PLATFORM_KEY = 'hak_sandbox'
const TIMEOUT_MS = 20_000
const POLL_MS = 100

/** Calls of each client, and whether the platform entitles it. */
const CLIENTS = { acme: { calls: 120, entitled: true }, globex: { calls: 45, entitled: true }, initech: { calls: 12, entitled: false } }
type ClientId = keyof typeof CLIENTS
const IDS = Object.keys(CLIENTS) as ClientId[]

export interface MeteringDemo {
  sandboxUrl: string
  /** What the gateway needs to know beside the sandbox. */
  environment: Record<string, string>
  /** @throws Error when what the platform has recorded is not what was called */
  show (screen: Screen, gatewayUrl: string): Promise<void>
  close (): Promise<void>
}

/** Starts a CloudWatch and a metering platform in this process. */
export async function startMeteringDemo (): Promise<MeteringDemo> {
  const [sandbox, platform] = await Promise.all([startSandbox(), startPlatform({ apiKey: PLATFORM_KEY })])
  platform.setClients(Object.fromEntries(IDS.map(id => [id, CLIENTS[id].entitled ? 'entitled' : 'denied'])))
  const accessKey = randomBytes(24).toString('base64url')
  const logs = new CloudWatchLogsClient({ endpoint: sandbox.url, region: 'eu-west-1', credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' } })
  return {
    sandboxUrl: sandbox.url,
    environment: {
      REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
      REVENIUM_PLATFORM_API_KEY: PLATFORM_KEY,
      METERING_ACCESS_KEY: accessKey,
      AUTHORIZE_ROUTE: 'on'
    },
    async show (screen, gatewayUrl) {
      await subscribe(sandbox, logs, `${gatewayUrl}/metering/access-logs`, accessKey)
      screen.done(`Access log ${STAGE.logGroupName} → subscription filter → ${gatewayUrl}/metering/access-logs`)
      await call(logs)
      screen.progress(() => 'Waiting for the last event')
      await whenMetered(sandbox, platform)
      report(screen, platform)
      await showEntitlement(screen, gatewayUrl)
    },
    async close () {
      logs.destroy()
      await Promise.all([sandbox.close(), platform.close()])
    }
  }
}

/** What stands between CloudWatch Logs and the gateway: a function that posts its event. */
async function subscribe (sandbox: Sandbox, logs: CloudWatchLogsClient, url: string, accessKey: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessKey}` }
  sandbox.setFunction(FUNCTION_NAME, async event => {
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) })
    if (!answer.ok) throw new Error(`the gateway has answered ${answer.status}`)
  })
  await logs.send(new CreateLogGroupCommand({ logGroupName: STAGE.logGroupName }))
  await logs.send(new CreateLogStreamCommand(STAGE))
  await logs.send(new PutSubscriptionFilterCommand({ logGroupName: STAGE.logGroupName, filterName: 'metering', filterPattern: '', destinationArn: FUNCTION_ARN }))
}

/** As a stage writes it; the client that is not entitled has not got past the authorizer. */
function accessLogLine (clientId: ClientId, index: number): string {
  const { entitled } = CLIENTS[clientId]
  return JSON.stringify({
    extendedRequestId: `${clientId}-${index}`,
    requestTimeEpoch: String(Date.now()),
    apiId: 'orders',
    stage: 'prod',
    httpMethod: 'GET',
    status: entitled ? '200' : '403',
    integrationStatus: entitled ? '200' : '-',
    integrationLatency: entitled ? '31' : '-',
    responseLatency: '38',
    responseLength: '1024',
    sourceIp: '203.0.113.7',
    protocol: 'HTTP/1.1',
    clientId,
    principalId: clientId,
    path: `/orders/${index}`,
    userAgent: 'curl/8.5.0'
  })
}

/** Stores all lines twice, as a log that is delivered again, and one that nobody can read. */
async function call (logs: CloudWatchLogsClient): Promise<void> {
  const lines = IDS.flatMap(id => Array.from({ length: CLIENTS[id].calls }, (_, index) => accessLogLine(id, index)))
  for (const messages of [lines, lines, ['{ this is no line']]) {
    await logs.send(new PutLogEventsCommand({ ...STAGE, logEvents: messages.map(message => ({ timestamp: Date.now(), message })) }))
  }
}

async function whenMetered (sandbox: Sandbox, platform: PlatformSandbox): Promise<void> {
  const expected = IDS.reduce((sum, id) => sum + expectedOf(id), 0)
  const deadline = Date.now() + TIMEOUT_MS
  await sandbox.subscriptionsIdle()
  while (platform.ledger().metered < expected) {
    if (Date.now() > deadline) throw new Error(`${count(expected - platform.ledger().metered)} calls are not metered after ${TIMEOUT_MS / 1000} s.`)
    await sleep(POLL_MS)
  }
}

function expectedOf (id: ClientId): number {
  return CLIENTS[id].entitled ? CLIENTS[id].calls : 0
}

function report (screen: Screen, platform: PlatformSandbox): void {
  const { byApplication } = platform.ledger()
  screen.line()
  screen.line(screen.style('bold', 'Each line was delivered twice, and one could not be read; each call is metered once'))
  screen.line()
  screen.table([
    ['client', 'called', 'metered', ''],
    ...IDS.map(id => [id, count(CLIENTS[id].calls), count(byApplication[id] ?? 0), (byApplication[id] ?? 0) === expectedOf(id) ? screen.style('green', '✔') : screen.style('red', '✖ differs')])
  ])
  if (IDS.some(id => (byApplication[id] ?? 0) !== expectedOf(id))) throw new Error('What is metered is not what was called.')
}

async function showEntitlement (screen: Screen, gatewayUrl: string): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'GET /authorize: may this client call?'))
  for (const clientId of IDS) {
    const { status, headers } = await fetch(`${gatewayUrl}/authorize`, { headers: { clientId } })
    screen.line(`${clientId}: ${status} ${headers.get('x-entitlement')}`)
    if ((status === 200) !== CLIENTS[clientId].entitled) throw new Error('The answer is not what the platform says.')
  }
}
