import { setTimeout as sleep } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, secretOf } from './applications.js'
import { eventually, startGateway, type Backend, type Gateway } from './app.js'

const GOOD = Array.from({ length: 9 }, (_, i) => `good-${i}`)
const HOSTILE = 'hostile'
/** Log streams that one body names. */
const STREAMS = 100
const ROUND_MS = 250
/** An event lingers for so long, whatever else waits. */
const FLUSH_MS = 200
/** A machine that is busy with others for a while spoils a measurement; unfair turns would spoil each of them. */
const MEASUREMENTS = 5

export interface FairnessOptions {
  /** How often each of nine good applications sends an event. */
  rounds: number
  /** Bodies of a hundred new log streams that the hostile application sends before. */
  bodies: number
}

/** Sends, and looks for what is delivered. */
class Applications {
  readonly #t: Test
  readonly #gateway: Gateway
  readonly #tokens = new Map<string, string>()

  constructor (t: Test, gateway: Gateway) {
    this.#t = t
    this.#gateway = gateway
  }

  async open (): Promise<void> {
    for (const id of [...GOOD, HOSTILE]) {
      const answer = await this.#gateway.post('/token', {
        clientToken: createClientToken(secretOf(id), Date.now(), randomUUID())
      })
      this.#tokens.set(id, (await answer.json() as { accessToken: string }).accessToken)
    }
  }

  async flood (bodies: number): Promise<void> {
    for (let body = 0; body < bodies; body++) {
      const lines = Array.from({ length: STREAMS }, () =>
        JSON.stringify({ logGroupName: `/${HOSTILE}`, logStreamName: randomUUID(), logEvents: [{ message: 'm' }] }))
      await this.#send(HOSTILE, lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    }
    await sleep(2 * FLUSH_MS)
  }

  /** The p99 of the delays of the events of the good applications, from the answer to the delivery. */
  async delay (rounds: number): Promise<number> {
    const name = randomUUID()
    const sentAt = new Map<string, number>()
    const delays: number[] = []
    const looking = setInterval(() => {
      for (const id of GOOD) {
        for (const { message } of this.#gateway.sandbox.items(`/${id}`)) {
          const at = sentAt.get(message)
          if (at === undefined) continue
          sentAt.delete(message)
          delays.push(performance.now() - at)
        }
      }
    }, 20)
    for (let round = 0; round < rounds; round++) {
      await Promise.all(GOOD.map(async id => {
        // Every other round in a log stream that has to be made.
        const message = `${id} ${name} ${round}`
        await this.#send(id, {
          logGroupName: `/${id}`, logStreamName: `${name}-${Math.floor(round / 2)}`, logEvents: [{ message }]
        })
        sentAt.set(message, performance.now())
      }))
      await sleep(ROUND_MS)
    }
    for (let waited = 0; sentAt.size > 0 && waited < 60_000; waited += 50) await sleep(50)
    clearInterval(looking)
    this.#t.equal(delays.length, GOOD.length * rounds, 'everything is delivered')
    return delays.sort((a, b) => a - b)[Math.ceil(delays.length * 0.99) - 1]!
  }

  async #send (id: string, body: object | string, headers = {}): Promise<void> {
    const { status } = await this.#gateway.post('/logEvents', body, {
      authorization: `Bearer ${this.#tokens.get(id)!}`, ...headers
    })
    this.#t.equal(status, 201)
  }
}

/**
 * An application that sends many new log streams makes the events of nine others wait twice as long as without it at
 * most.
 */
export async function checkFairness (t: Test, backend: Backend, { rounds, bodies }: FairnessOptions): Promise<void> {
  const file = await applicationsFile(t, [...GOOD, HOSTILE].map(id => ({ id, logGroups: [`/${id}`] })))
  const gateway = await startGateway(t, {
    RATE_LIMIT_PER_MINUTE: '0', APPS_FILE: file.path, FLUSH_INTERVAL_MS: String(FLUSH_MS), SHUTDOWN_GRACE_MS: '1'
  }, backend)
  const applications = new Applications(t, gateway)
  await applications.open()
  // The log groups and the connections of the first deliveries are made once.
  await applications.delay(1)
  for (let measurement = 1; ; measurement++) {
    const alone = Math.max(FLUSH_MS, await applications.delay(rounds))
    await applications.flood(bodies)
    const beside = await applications.delay(rounds)
    const measured = `p99 ${alone.toFixed(0)} ms alone, ${beside.toFixed(0)} ms beside`
    t.comment(measured)
    if (beside <= 2 * alone || measurement === MEASUREMENTS) {
      t.ok(beside <= 2 * alone, measured)
      return
    }
    await eventually(async () => (await gateway.app.spool.depth()).records === 0 ? true : undefined, 240_000)
  }
}
