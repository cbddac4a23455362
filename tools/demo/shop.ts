import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import type { IntakeAnswer } from '../../schemas/intake.js'

export const NAMESPACE = 'Shop'
export const LOG_GROUP = '/shop/web'
export const BROWSERS = 24
export const SECONDS = 5

const PAGES = [
  { path: '/', loadMs: 300 },
  { path: '/product', loadMs: 450 },
  { path: '/checkout', loadMs: 700 }
]
const THINK_MS = { min: 80, max: 260 }
const MAX_CLICKS = 9
/** One visit in so many meets an error. */
const ERROR_RATE = 20

/** The items that the browsers of the shop have sent and the gateway has accepted. */
export interface Sent {
  requests: number
  /** Data points by metric and dimension, as `PageLoad Page=/checkout`. */
  values: Map<string, number[]>
  /** Messages by log stream. */
  messages: Map<string, string[]>
  /** Milliseconds until the answer to each request. */
  answerMs: number[]
}

/** A request that the demo shows, and its answer. */
export interface Shown {
  status: number
  headers: Headers
  body: IntakeAnswer
  ms: number
}

export interface Shop {
  sent: Sent
  /** Items accepted so far. */
  items (): number
  /** Lets browsers come and go; resolves when all have left. */
  open (): Promise<void>
  /** Sends three data points, the one in the middle bad. */
  sendBadItem (): Promise<Shown>
  /** Sends one data point and waits for its delivery. */
  sendAndWait (seconds: number): Promise<Shown>
}

export interface Dimension {
  Name: string
  Value: string
}

interface Datum {
  MetricName: string
  Value: number
  Unit: string
  Dimensions: Dimension[]
}

function datum (metricName: string, page: string, value: number, unit: string): Datum {
  return { MetricName: metricName, Value: value, Unit: unit, Dimensions: [{ Name: 'Page', Value: page }] }
}

/** The name of a series, as `PageLoad Page=/checkout`. */
export function nameOf (metricName: string, { Name, Value }: Dimension): string {
  return `${metricName} ${Name}=${Value}`
}

/** Milliseconds around a typical value, with the long tail that page loads have. */
function loadTime (typical: number): number {
  return Math.round(typical * Math.exp((Math.random() + Math.random() + Math.random() - 1.5) * 1.2))
}

/**
 * A small imaginary shop, whose pages send to a gateway.
 * @param gatewayUrls its processes, which take the requests in turn
 */
export function createShop (gatewayUrls: string[], clientSecret: string): Shop {
  const sent: Sent = { requests: 0, values: new Map(), messages: new Map(), answerMs: [] }
  let turn = 0

  function note<T> (map: Map<string, T[]>, key: string, value: T): void {
    const values = map.get(key)
    if (values === undefined) map.set(key, [value])
    else values.push(value)
  }

  async function post (
    path: string, body: unknown, headers: Record<string, string> = {}
  ): Promise<{ status: number, headers: Headers, body: unknown, ms: number }> {
    const start = performance.now()
    const response = await fetch(gatewayUrls[turn++ % gatewayUrls.length]! + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body)
    })
    const text = await response.text()
    const ms = performance.now() - start
    if (response.status !== 201) throw new Error(`POST ${path} was answered ${response.status}: ${text}`)
    sent.requests += 1
    sent.answerMs.push(ms)
    return { status: response.status, headers: response.headers, body: JSON.parse(text), ms }
  }

  async function openSession (name: string): Promise<string> {
    const { body } = await post('/token', { clientToken: createClientToken(clientSecret, Date.now(), name) })
    return `Bearer ${(body as { accessToken: string }).accessToken}`
  }

  async function sendMetrics (
    Authorization: string, MetricData: Datum[], headers: Record<string, string> = {}
  ): Promise<Shown> {
    const answer = await post('/metric', {
      params: { Namespace: NAMESPACE, MetricData }
    }, { Authorization, ...headers }) as Shown
    const rejected = new Set(answer.body.rejected.map(({ index }) => index))
    MetricData.forEach(({ MetricName, Dimensions, Value }, index) => {
      if (!rejected.has(index)) note(sent.values, nameOf(MetricName, Dimensions[0]!), Value)
    })
    return answer
  }

  async function sendLogEvents (Authorization: string, logStreamName: string, events: object[]): Promise<void> {
    const logEvents = events.map(event => ({ message: JSON.stringify(event), timestamp: Date.now() }))
    await post('/logEvents', { logGroupName: LOG_GROUP, logStreamName, logEvents }, { Authorization })
    for (const { message } of logEvents) note(sent.messages, logStreamName, message)
  }

  async function visit (session: string, visitNumber: number, authorization: string): Promise<void> {
    const { path, loadMs } = PAGES[randomInt(PAGES.length)]!
    const clicks = randomInt(MAX_CLICKS + 1)
    const event = { session, visit: visitNumber, page: path }
    const requests: Promise<unknown>[] = [
      sendMetrics(authorization, [
        datum('PageLoad', path, loadTime(loadMs), 'Milliseconds'), datum('Clicks', path, clicks, 'Count')
      ]),
      sendLogEvents(authorization, 'visits', [{ ...event, did: 'arrive' }, { ...event, did: 'leave', clicks }])
    ]
    if (randomInt(ERROR_RATE) === 0) {
      requests.push(sendLogEvents(authorization, 'errors', [{ ...event, error: 'carte refusée · 決済エラー' }]))
    }
    await Promise.all(requests)
  }

  async function browse (session: string, until: number): Promise<void> {
    const authorization = await openSession(session)
    for (let visitNumber = 1; Date.now() < until; visitNumber++) {
      await visit(session, visitNumber, authorization)
      await sleep(randomInt(THINK_MS.min, THINK_MS.max))
    }
  }

  return {
    sent,
    items: () => [...sent.values.values(), ...sent.messages.values()].reduce((sum, { length }) => sum + length, 0),

    async open () {
      const until = Date.now() + SECONDS * 1000
      await Promise.all(Array.from({ length: BROWSERS }, (_, index) => browse(`session-${index + 1}`, until)))
    },

    async sendBadItem () {
      const [good, alsoGood] = [datum('PageLoad', '/', 312, 'Milliseconds'), datum('Clicks', '/', 2, 'Count')]
      return await sendMetrics(await openSession('bad-item'), [good, { ...good, Unit: 'ms' }, alsoGood])
    },

    async sendAndWait (seconds) {
      return await sendMetrics(await openSession('wait'), [datum('Clicks', '/checkout', 1, 'Count')], {
        Prefer: `wait=${seconds}`
      })
    }
  }
}
