import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import type { Sandbox } from '../../tools/sandbox/sandbox.js'
import { findPort } from '../../tools/shared/ports.js'
import { startGatewayProcess } from '../../tools/shared/processes.js'
import { startRedis } from '../../tools/shared/redis.js'
import { CLIENT_SECRET_KEY, useSandbox, type Backend } from '../helpers/app.js'
import { canStepClocks, createSteppedClock, NO_STEPS, type SteppedClock } from '../helpers/stepped-clock.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** From the true time, one after the other. */
const STEPS_MS = [10 * MINUTE_MS, 0, -10 * MINUTE_MS, 0, 3 * HOUR_MS, 0, -3 * HOUR_MS, 0]
/** Longer than an item may be delayed. */
const STEP_LASTS_MS = 6_000
const MAX_DELAY_MS = 5_000
const SEND_EVERY_MS = 100
const GROUP = '/clock'

interface Sent {
  message: string
  acceptedAt: number
  deliveredAt: number | null
}

interface Flow {
  sent: Sent[]
  /** Answers that neither store an item nor name the time as the cause. */
  surprises: string[]
  stop (): Promise<void>
}

/** Whether the gateway, or CloudWatch through it, says that the time is the cause. */
function namesTheTime (status: number, body: string): boolean {
  return status === 401 || (status === 400 && (body.includes('invalid-timestamp') || body.includes('too-new')))
}

/** Sends events with the true time, and renews the token when it is refused. */
function sendSteadily (url: string, sandbox: Sandbox): Flow {
  const sent: Sent[] = []
  const byMessage = new Map<string, Sent>()
  const surprises: string[] = []
  const stopping = new AbortController()
  let accessToken: string | null = null
  const post = async (path: string, body: object) => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json', ...(accessToken === null ? {} : { authorization: `Bearer ${accessToken}` })
      },
      body: JSON.stringify(body)
    })
    return { status: answer.status, body: await answer.text() }
  }
  async function send (number: number): Promise<void> {
    if (accessToken === null) {
      const { status, body } = await post('/token', {
        clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID())
      })
      if (status === 201) accessToken = (JSON.parse(body) as { accessToken: string }).accessToken
      else if (!namesTheTime(status, body)) surprises.push(`/token: ${status} ${body}`)
      return
    }
    const message = `event ${number}`
    const { status, body } = await post('/logEvents', {
      logGroupName: GROUP, logStreamName: `s${number % 3}`, logEvents: [{ message, timestamp: Date.now() }]
    })
    if (status === 401) accessToken = null
    if (status === 201 && (JSON.parse(body) as { accepted: number }).accepted === 1) {
      const item = { message, acceptedAt: performance.now(), deliveredAt: null }
      sent.push(item)
      byMessage.set(message, item)
    } else if (!namesTheTime(status, body)) {
      surprises.push(`/logEvents: ${status} ${body}`)
    }
  }
  function look (): void {
    for (const { message } of sandbox.items(GROUP)) {
      const item = byMessage.get(message)
      if (item !== undefined) item.deliveredAt ??= performance.now()
    }
  }
  const looking = setInterval(look, 100)
  const running = (async () => {
    for (let number = 0; !stopping.signal.aborted; number++) {
      await send(number)
      await sleep(SEND_EVERY_MS)
    }
  })()
  return {
    sent,
    surprises,
    async stop () {
      stopping.abort()
      await running
      await sleep(MAX_DELAY_MS)
      look()
      clearInterval(looking)
    }
  }
}

async function stepThrough (t: Test, url: string, sandbox: Sandbox, clock: SteppedClock): Promise<void> {
  const flow = sendSteadily(url, sandbox)
  await sleep(2_000)
  for (const byMs of STEPS_MS) {
    const before = flow.sent.length
    clock.set(byMs)
    await sleep(STEP_LASTS_MS)
    if (byMs === 0) t.ok(flow.sent.length > before, 'with the right time again, items are accepted')
  }
  await flow.stop()
  t.same(flow.surprises, [])
  t.ok(flow.sent.length > STEPS_MS.length)
  const delays = flow.sent.map(
    ({ message, acceptedAt, deliveredAt }) => ({ message, delayMs: (deliveredAt ?? Infinity) - acceptedAt })
  )
  t.same(delays.filter(({ delayMs }) => delayMs === Infinity), [], 'nothing is lost')
  t.same(delays.filter(({ delayMs }) => delayMs > MAX_DELAY_MS), [], 'nothing is late')
}

async function startGateway (
  t: Test,
  backend: Backend,
  clocks: { gateway: SteppedClock, redis: SteppedClock },
  settings: Record<string, string> = {}
): Promise<{ url: string, sandbox: Sandbox, stop: () => Promise<void> }> {
  const sandbox = await useSandbox(t)
  const folder = mkdtempSync(join(tmpdir(), 'postman-steps-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const store: Record<string, string> = { DATA_DIR: folder }
  if (backend === 'redis') {
    const redis = await startRedis({ environment: clocks.redis.environment })
    t.teardown(() => redis.stop())
    store.REDIS_URL = redis.url
  }
  const environment = {
    ...process.env,
    AWS_ENDPOINT_URL: sandbox.url,
    ...store,
    ...clocks.gateway.environment,
    CLIENT_SECRET_KEY,
    ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-tests',
    AWS_REGION: 'eu-west-1',
    FLUSH_INTERVAL_MS: '500',
    RATE_LIMIT_PER_MINUTE: '0',
    MAX_EVENT_LOOP_DELAY_MS: '0',
    ...settings
  }
  const server = await startGatewayProcess(environment, await findPort(), folder)
  t.teardown(() => server.stop())
  return { url: server.url, sandbox, stop: () => server.stop() }
}

t.setTimeout(300_000)

const CASES: Array<[Backend, 'gateway' | 'redis']> = [['embedded', 'gateway'], ['redis', 'gateway'], ['redis', 'redis']]

/** Side by side, as each of them waits for most of its time. */
const OPTIONS = { timeout: 120_000, skip: canStepClocks() ? false : NO_STEPS, buffered: true }
t.jobs = CASES.length + 1

for (const [backend, stepped] of CASES) {
  t.test(`${backend}: nothing is lost or late when the clock of ${stepped} is set forward and back`, OPTIONS, async t => {
    const clocks = { gateway: createSteppedClock(t), redis: createSteppedClock(t) }
    const { url, sandbox } = await startGateway(t, backend, clocks)
    await stepThrough(t, url, sandbox, clocks[stepped])
  })
}

t.test('a gateway whose clock was set back delivers what waits when it ends', OPTIONS, async t => {
  const clocks = { gateway: createSteppedClock(t), redis: createSteppedClock(t) }
  const { url, sandbox, stop } = await startGateway(t, 'embedded', clocks, { FLUSH_INTERVAL_MS: '60000' })
  const post = async (path: string, body: object, headers = {}) => {
    const answer = await fetch(url + path, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body)
    })
    t.equal(answer.status, 201)
    return await answer.json() as { accessToken: string }
  }
  const { accessToken } = await post('/token', {
    clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), randomUUID())
  })
  const streams = ['s0', 's1', 's2', 's3']
  for (const logStreamName of streams) {
    await post('/logEvents', { logGroupName: GROUP, logStreamName, logEvents: [{ message: logStreamName }] }, {
      authorization: `Bearer ${accessToken}`
    })
  }
  clocks.gateway.set(-10 * MINUTE_MS)
  await stop()
  t.same([...sandbox.items(GROUP)].map(({ message }) => message).sort(), streams)
})
