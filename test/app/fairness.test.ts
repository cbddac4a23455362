import { setTimeout as sleep } from 'node:timers/promises'
import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, secretOf } from '../helpers/applications.js'
import { BACKENDS, startGateway, type Backend } from '../helpers/app.js'

const GOOD = Array.from({ length: 9 }, (_, i) => `good-${i}`)
const ROUNDS = 8
const ROUND_MS = 250
/** What the hostile application sends: bodies, and new log streams in each. */
const BODIES = 10
const STREAMS = 100
const FLUSH_MS = 200

/** The delays of the events of nine good applications, from the answer to the delivery, beside another or alone. */
async function delaysOf (t: Test, backend: Backend, hostile: boolean): Promise<number[]> {
  const file = await applicationsFile(t, [...GOOD, 'hostile'].map(id => ({ id, logGroups: [`/${id}`] })))
  const { sandbox, post } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '0', APPS_FILE: file.path, FLUSH_INTERVAL_MS: String(FLUSH_MS), SHUTDOWN_GRACE_MS: '1' }, backend)
  const tokens = new Map<string, string>()
  for (const id of [...GOOD, 'hostile']) {
    const answer = await post('/token', { clientToken: createClientToken(secretOf(id), Date.now(), randomUUID()) })
    tokens.set(id, (await answer.json() as { accessToken: string }).accessToken)
  }
  const send = async (id: string, body: object | string, headers = {}): Promise<void> => {
    const { status } = await post('/logEvents', body, { authorization: `Bearer ${tokens.get(id)!}`, ...headers })
    t.equal(status, 201)
  }
  if (hostile) {
    for (let body = 0; body < BODIES; body++) {
      const lines = Array.from({ length: STREAMS }, (_, i) => JSON.stringify({ logGroupName: '/hostile', logStreamName: `s-${body}-${i}`, logEvents: [{ message: 'm' }] }))
      await send('hostile', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    }
    await sleep(2 * FLUSH_MS)
  }
  const sentAt = new Map<string, number>()
  const delays: number[] = []
  const look = (): void => {
    for (const id of GOOD) {
      for (const { message } of sandbox.items(`/${id}`)) {
        const at = sentAt.get(message)
        if (at === undefined) continue
        sentAt.delete(message)
        delays.push(performance.now() - at)
      }
    }
  }
  const looking = setInterval(look, 20)
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(GOOD.map(async id => {
      // Every other round in a log stream that has to be made.
      const message = `${id} ${round}`
      await send(id, { logGroupName: `/${id}`, logStreamName: `s${Math.floor(round / 2)}`, logEvents: [{ message }] })
      sentAt.set(message, performance.now())
    }))
    await sleep(ROUND_MS)
  }
  for (let waited = 0; sentAt.size > 0 && waited < 60_000; waited += 50) await sleep(50)
  clearInterval(looking)
  t.equal(delays.length, GOOD.length * ROUNDS, 'everything is delivered')
  return delays.sort((a, b) => a - b)
}

const p99 = (delays: number[]): number => delays[Math.ceil(delays.length * 0.99) - 1]!

for (const backend of BACKENDS) {
  t.test(`${backend}: an application with a thousand new log streams makes the others wait twice as long at most`, { timeout: 150_000 }, async t => {
    const alone = p99(await delaysOf(t, backend, false))
    const beside = p99(await delaysOf(t, backend, true))
    t.comment(`p99 ${alone.toFixed(0)} ms alone, ${beside.toFixed(0)} ms beside`)
    t.ok(beside <= 2 * Math.max(alone, 500), `p99 ${alone.toFixed(0)} ms alone, ${beside.toFixed(0)} ms beside`)
  })
}
