/** The metering of API Gateway, on loopback: access logs, subscriptions, gateway, Lambda functions and platform. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand, PutSubscriptionFilterCommand
} from '@aws-sdk/client-cloudwatch-logs'
import { gzipSync } from 'node:zlib'
import { createAuthorizer, type PolicyAnswer, type SimpleAnswer } from '../../lambda/authorizer-handler.js'
import { concurrencyOf, openClient, openFilter } from '../../lambda/metering-client.js'
import { createMeteringHandler } from '../../lambda/metering-handler.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { monotonicNow, unixNow } from '../../lib/clock.js'
import { fixedKey } from '../../lib/metering/api-key.js'
import { rememberDelivered } from '../../lib/metering/delivered-ids.js'
import { createEntitlement } from '../../lib/metering/entitlement.js'
import { createPlatform } from '../../lib/metering/platform.js'
import { PLATFORM_CONTROL_PREFIX } from '../sandbox/platform/platform-control.js'
import type { PlatformSandbox } from '../sandbox/platform/platform-sandbox.js'
import { startPlatform } from '../sandbox/platform/platform-server.js'
import type { Sandbox } from '../sandbox/sandbox.js'
import { startSandbox } from '../sandbox/server.js'
import { count, type Screen } from '../shared/screen.js'

const REGION = 'eu-west-1'
/** Two APIs: one is metered by the gateway, the other by the functions of Lambda. */
const APIS = { gateway: 'orders', lambda: 'invoices' } as const
type Way = keyof typeof APIS
const PLATFORM_KEY = 'hak_sandbox'
const TIMEOUT_MS = 20_000
const POLL_MS = 100
/** The application of a gateway without APPS_FILE. */
const APPLICATION = 'default'

/** Calls of each client, and whether the platform entitles it. */
const CLIENTS = {
  acme: { calls: 120, entitled: true },
  globex: { calls: 45, entitled: true },
  initech: { calls: 12, entitled: false }
}
type ClientId = keyof typeof CLIENTS
const IDS = Object.keys(CLIENTS) as ClientId[]
const CLIENT_VERDICTS = Object.fromEntries(
  IDS.map(id => [id, CLIENTS[id].entitled ? 'entitled' as const : 'denied' as const])
)

export interface MeteringDemo {
  sandboxUrl: string
  platformUrl: string
  /** The environment of the gateway, beside the address of the sandbox. */
  environment: Record<string, string>
  /** @throws Error when the platform has recorded other calls than were made */
  show (screen: Screen, gatewayUrl: string, clientSecret: string): Promise<void>
  close (): Promise<void>
}

/** Starts a CloudWatch and a metering platform in this process. */
export async function startMeteringDemo (): Promise<MeteringDemo> {
  const [sandbox, platform] = await Promise.all([startSandbox(), startPlatform({ apiKey: PLATFORM_KEY })])
  platform.setClients(CLIENT_VERDICTS)
  const accessKey = randomBytes(24).toString('base64url')
  const logs = new CloudWatchLogsClient({
    endpoint: sandbox.url,
    region: REGION,
    credentials: { accessKeyId: 'demo', secretAccessKey: 'demo' }
  })
  const functions = openFunctions(platform)
  return {
    sandboxUrl: sandbox.url,
    platformUrl: platform.url,
    environment: {
      REVENIUM_PLATFORM_API: platform.urls['v1-meter'],
      REVENIUM_PLATFORM_API_KEY: PLATFORM_KEY,
      METERING_ACCESS_KEY: accessKey,
      AUTHORIZE_ROUTE: 'on',
      METERING: 'on',
      ENTITLEMENT: 'on',
      DENIED_TTL_SECONDS: '0'
    },
    async show (screen, gatewayUrl, clientSecret) {
      const url = `${gatewayUrl}/metering/access-logs`
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${accessKey}` }
      await showStage(screen, sandbox, platform, logs, 'gateway', url, async event => {
        const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(event) })
        if (!answer.ok) throw new Error(`the gateway has answered ${answer.status}`)
      })
      await showEntitlement(screen, gatewayUrl)
      await showStage(screen, sandbox, platform, logs, 'lambda', 'the metering function', functions.meter)
      await showAuthorizer(screen, functions.authorize)
      await showOwnCalls(screen, platform, gatewayUrl, clientSecret)
    },
    async close () {
      logs.destroy()
      await Promise.all([sandbox.close(), platform.close()])
    }
  }
}

interface Functions {
  meter (event: unknown): Promise<void>
  authorize (event: object): Promise<PolicyAnswer | SimpleAnswer>
}

/** The handlers of both functions, as Lambda would call them; messages that they park are kept in memory. */
function openFunctions (platform: PlatformSandbox): Functions {
  const env = { REVENIUM_PLATFORM_API: platform.urls['v1-meter'], REVENIUM_PLATFORM_API_KEY: PLATFORM_KEY }
  const write = (): void => {}
  const meter = createMeteringHandler({
    client: openClient(env),
    filter: openFilter(env),
    delivered: rememberDelivered({ max: 1_000, now: unixNow }),
    parking: { park: async () => {}, deadLetter: async () => {} },
    concurrency: concurrencyOf(env),
    now: unixNow,
    write
  })
  const authorize = createAuthorizer({
    entitlement: createEntitlement({
      platform: createPlatform({
        baseUrl: platform.urls['v1-meter'],
        apiKey: fixedKey(PLATFORM_KEY),
        timeoutMs: 3_000,
        maxConnections: 4
      }),
      failMode: 'closed',
      now: unixNow,
      monotonicNow,
      onUnknown: write
    }),
    headerName: 'clientId',
    responseMode: 'policy',
    takeConfigFaults: () => 0,
    now: unixNow,
    write
  })
  return {
    async meter (event) {
      await meter(event, {
        functionName: 'metering',
        logGroupName: '/aws/lambda/metering',
        getRemainingTimeInMillis: () => 60_000
      })
    },
    authorize: async event => await authorize(event, { functionName: 'authorizer' })
  }
}

/** Shows the calls of an API, its access log, the log's subscription, and the calls that are metered in the end. */
async function showStage (
  screen: Screen, sandbox: Sandbox, platform: PlatformSandbox, logs: CloudWatchLogsClient, way: Way, target: string,
  receive: (event: unknown) => Promise<void>
): Promise<void> {
  const stage = { logGroupName: `/aws/apigateway/${APIS[way]}/prod`, logStreamName: 'access' }
  sandbox.setFunction(way, receive)
  await logs.send(new CreateLogGroupCommand({ logGroupName: stage.logGroupName }))
  await logs.send(new CreateLogStreamCommand(stage))
  await logs.send(new PutSubscriptionFilterCommand({
    logGroupName: stage.logGroupName,
    filterName: 'metering',
    filterPattern: '',
    destinationArn: `arn:aws:lambda:${REGION}:000000000000:function:${way}`
  }))
  screen.done(`Access log ${stage.logGroupName} → subscription filter → ${target}`)
  const before = { ...platform.ledger().byApplication }
  await call(logs, stage, APIS[way])
  screen.progress(() => 'Waiting for the last event')
  await sandbox.subscriptionsIdle()
  await whenMetered(platform, before)
  report(screen, platform, before)
}

/** A line as a stage writes it; the client that is not entitled has not got past the authorizer. */
function accessLogLine (clientId: ClientId, index: number, apiId: string): string {
  const { entitled } = CLIENTS[clientId]
  return JSON.stringify({
    extendedRequestId: `${clientId}-${index}`,
    requestTimeEpoch: String(unixNow()),
    apiId,
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
    path: `/${apiId}/${index}`,
    userAgent: 'curl/8.5.0'
  })
}

/** Stores all lines twice, as a log that is delivered again, and a line that nobody can read. */
async function call (
  logs: CloudWatchLogsClient, stage: { logGroupName: string, logStreamName: string }, apiId: string
): Promise<void> {
  const lines = IDS.flatMap(id => Array.from({ length: CLIENTS[id].calls }, (_, index) =>
    accessLogLine(id, index, apiId)))
  for (const messages of [lines, lines, ['{ this is no line']]) {
    await logs.send(new PutLogEventsCommand({
      ...stage,
      logEvents: messages.map(message => ({ timestamp: unixNow(), message }))
    }))
  }
}

type Metered = Record<string, number>

function meteredSince (platform: PlatformSandbox, before: Metered, id: string): number {
  return (platform.ledger().byApplication[id] ?? 0) - (before[id] ?? 0)
}

async function whenMetered (platform: PlatformSandbox, before: Metered): Promise<void> {
  const deadline = monotonicNow() + TIMEOUT_MS
  const missing = (): number =>
    IDS.reduce((sum, id) => sum + Math.max(0, expectedOf(id) - meteredSince(platform, before, id)), 0)
  while (missing() > 0) {
    if (monotonicNow() > deadline) {
      throw new Error(`${count(missing())} calls are not metered after ${TIMEOUT_MS / 1000} s.`)
    }
    await sleep(POLL_MS)
  }
}

function expectedOf (id: ClientId): number {
  return CLIENTS[id].entitled ? CLIENTS[id].calls : 0
}

function report (screen: Screen, platform: PlatformSandbox, before: Metered): void {
  screen.line()
  screen.line(
    screen.style('bold', 'Each line was delivered twice, and one could not be read; each call is metered once')
  )
  screen.line()
  const isRight = (id: ClientId): boolean => meteredSince(platform, before, id) === expectedOf(id)
  screen.table([
    ['client', 'called', 'metered', '', ''],
    ...IDS.map(id => [
      id,
      count(CLIENTS[id].calls),
      count(meteredSince(platform, before, id)),
      isRight(id) ? screen.style('green', '✔') : screen.style('red', '✖ differs'),
      CLIENTS[id].entitled
        ? ''
        : 'the platform does not entitle it: API Gateway has refused its calls with 403, and nobody is billed for them'
    ])
  ])
  if (!IDS.every(isRight)) throw new Error('The metered calls are not the calls that were made.')
}

async function showEntitlement (screen: Screen, gatewayUrl: string): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'The gateway, GET /authorize: may this client call?'))
  for (const clientId of IDS) {
    const { status, headers } = await fetch(`${gatewayUrl}/authorize`, { headers: { clientId } })
    screen.line(`${clientId}: ${status} ${headers.get('x-entitlement')}`)
    if ((status === 200) !== CLIENTS[clientId].entitled) throw new Error('The answer contradicts the platform.')
  }
  screen.line()
}

async function showAuthorizer (screen: Screen, authorize: Functions['authorize']): Promise<void> {
  screen.line()
  screen.line(screen.style('bold', 'The authorizer of Lambda, for an HTTP API: may this client call?'))
  for (const clientid of IDS) {
    const answer = await authorize({
      version: '2.0',
      type: 'REQUEST',
      routeArn: `arn:aws:execute-api:${REGION}:000000000000:${APIS.lambda}/prod/GET/${APIS.lambda}`,
      headers: { clientid }
    })
    const effect = 'policyDocument' in answer ? answer.policyDocument.Statement[0].Effect : null
    screen.line(`${clientid}: ${effect} (${answer.context.entitlement})`)
    if ((effect === 'Allow') !== CLIENTS[clientid].entitled) throw new Error('The answer contradicts the platform.')
  }
}

/** Shows ENTITLEMENT=on and METERING=on: the calls of the gateway's own clients. */
async function showOwnCalls (
  screen: Screen, platform: PlatformSandbox, gatewayUrl: string, clientSecret: string
): Promise<void> {
  screen.line()
  screen.line(
    screen.style(
      'bold', `ENTITLEMENT=on: may the application ${APPLICATION} have tokens? METERING=on: its calls are metered`
    )
  )
  for (const [verdict, expected] of [['denied', 402], ['entitled', 201]] as const) {
    platform.setClients({ ...CLIENT_VERDICTS, [APPLICATION]: verdict })
    const clientToken = createClientToken(clientSecret, unixNow(), randomBytes(4).toString('hex'))
    const { status } = await fetch(`${gatewayUrl}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ clientToken })
    })
    screen.line(`${verdict}: POST /token answers ${status}`)
    if (status !== expected) throw new Error('The answer contradicts the platform.')
  }
  const deadline = monotonicNow() + TIMEOUT_MS
  while (meteredSince(platform, {}, APPLICATION) < 1) {
    if (monotonicNow() > deadline) {
      throw new Error(`The call of ${APPLICATION} is not metered after ${TIMEOUT_MS / 1000} s.`)
    }
    await sleep(POLL_MS)
  }
  screen.line(`metered: ${meteredSince(platform, {}, APPLICATION)} call of ${APPLICATION}, the one with the token`)
}

/** Prints the commands that a visitor may try while the demo stays up. */
export function inviteToMetering (
  screen: Screen,
  { gatewayUrl, platformUrl, environment }: {
    gatewayUrl: string
    platformUrl: string
    environment: Record<string, string>
  }
): void {
  const line = accessLogLine('acme', CLIENTS.acme.calls, APIS.gateway)
  const envelope = {
    messageType: 'DATA_MESSAGE',
    owner: '000000000000',
    logGroup: 'mine',
    logStream: 'access',
    logEvents: [{ id: '1', timestamp: unixNow(), message: line }]
  }
  const commands: Array<[string, ...string[]]> = [
    ['May a client call?', `curl -i ${gatewayUrl}/authorize -H 'clientId: globex'`],
    [
      'One more call of acme, as CloudWatch Logs would send it; sent again, it is still one',
      `curl ${gatewayUrl}/metering/access-logs -H 'Authorization: Bearer ${environment.METERING_ACCESS_KEY}' \\`,
      "  -H 'Content-Type: application/json' -d " +
        `'${JSON.stringify({ awslogs: { data: gzipSync(JSON.stringify(envelope)).toString('base64') } })}'`
    ],
    ['What the platform has', `curl ${platformUrl}${PLATFORM_CONTROL_PREFIX}/ledger`],
    [
      'An outage of the platform, and its end',
      `curl -X PUT ${platformUrl}${PLATFORM_CONTROL_PREFIX}/faults -d '[{"kind":"answer","status":503}]'`,
      `curl -X PUT ${platformUrl}${PLATFORM_CONTROL_PREFIX}/faults -d '[]'`
    ]
  ]
  screen.line()
  screen.line(screen.style('bold', 'Your turn'))
  for (const [comment, ...lines] of commands) {
    screen.line()
    screen.line(screen.style('dim', `# ${comment}`))
    for (const text of lines) screen.line(text)
  }
  screen.line()
  screen.line('Ctrl-C ends it.')
}
