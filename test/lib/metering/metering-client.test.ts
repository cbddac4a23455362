import t from 'tap'
import type { Platform } from '../../../lib/metering/platform.js'
import { PROFILES } from '../../../lib/metering/profiles.js'
import { createMeteringClient, type SendOutcome } from '../../../lib/metering/metering-client.js'
import { inOneMinute, meteredCall, openTestPlatform } from '../../helpers/metering.js'

const calls = (count: number) => Array.from({ length: count }, (_, index) => meteredCall(`c${index}`))
const results = (outcomes: SendOutcome[]) => outcomes.map(({ result }) => result)
const tally = (outcomes: SendOutcome[]) =>
  outcomes.reduce<Record<string, number>>((sum, { result }) => ({ ...sum, [result]: (sum[result] ?? 0) + 1 }), {})
const send = (
  client: Awaited<ReturnType<typeof openTestPlatform>>['client'],
  count: number,
  concurrency = 4,
  deadline = inOneMinute()
) =>
  client.sendAll(calls(count), { concurrency, deadline })

t.test('every call is sent with its key and an idempotency key', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  t.strictSame(tally(await send(client, 20)), { delivered: 20 })
  t.strictSame(
    new Set(sandbox.events().map(({ idempotencyKey }) => idempotencyKey)), new Set(calls(20).map(({ id }) => id))
  )
})

t.test('no more calls are under way than allowed', async t => {
  const { platform } = await openTestPlatform(t, { maxConnections: 100 })
  let underWay = 0
  let most = 0
  const counting: Platform = {
    ...platform,
    async request (request) {
      most = Math.max(most, ++underWay)
      return await platform.request(request).finally(() => { underWay-- })
    }
  }
  await send(
    createMeteringClient({ platform: counting, profile: PROFILES['v1-meter'], now: Date.now, random: Math.random }),
    30,
    3
  )
  t.equal(most, 3)
})

t.test('throttles, outages, timeouts and cut connections are tried again', async t => {
  const { client, sandbox } = await openTestPlatform(t, { timeoutMs: 500 })
  sandbox.faults.set([
    { kind: 'answer', status: 429, count: 2 },
    { kind: 'answer', status: 500, count: 2 },
    { kind: 'answer', status: 503, count: 1 },
    { kind: 'answer', status: 408, count: 1 }, { kind: 'reset', count: 2 }, { kind: 'hang', count: 1 }
  ])
  t.strictSame(tally(await send(client, 12)), { delivered: 12 })
  t.equal(sandbox.ledger().metered, 12)
})

t.test('an answer that is lost after the call was recorded does not meter it twice', async t => {
  const { client, sandbox } = await openTestPlatform(t, { timeoutMs: 500 })
  sandbox.faults.set([{ kind: 'reset', afterStore: true, count: 3 }, { kind: 'hang', afterStore: true, count: 1 }])
  t.strictSame(tally(await send(client, 8)), { delivered: 8 })
  t.equal(sandbox.ledger().metered, 8)
  t.ok(sandbox.ledger().duplicates >= 2)
})

t.test('what the platform refuses is refused once, and costs no other', async t => {
  for (const status of [400, 404, 422]) {
    const { client, sandbox } = await openTestPlatform(t)
    sandbox.faults.set([{ kind: 'answer', status, message: 'no such product', application: 'bad' }])
    const outcomes = await client.sendAll(
      [meteredCall('a'), meteredCall('b', { application: 'bad' }), meteredCall('c')],
      { concurrency: 2, deadline: inOneMinute() }
    )
    t.strictSame(results(outcomes), ['delivered', 'refused', 'delivered'])
    t.match(outcomes[1], { message: new RegExp(`HTTP ${status} .*no such product`) })
    t.equal(sandbox.ledger().calls.meter, 3, 'it was not tried again')
  }
})

t.test('a conflict is left for later without trying again', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'answer', status: 409 }])
  t.match(await send(client, 1), [{ result: 'left', failure: { class: 'conflict' } }])
  t.equal(sandbox.ledger().calls.meter, 1)
})

t.test('a refused key stops the rest at once', async t => {
  for (const status of [401, 403]) {
    const { client, sandbox } = await openTestPlatform(t)
    sandbox.faults.set([{ kind: 'answer', status }])
    const outcomes = await send(client, 50, 2)
    t.strictSame(tally(outcomes), { left: 50 })
    t.ok(outcomes.every(outcome => outcome.result === 'left' && outcome.failure?.class === 'denied'))
    t.ok(sandbox.ledger().calls.meter! <= 4, `${sandbox.ledger().calls.meter} calls`)
  }
})

t.test('a platform that is down is not asked for every call', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'answer', status: 503 }])
  t.strictSame(tally(await send(client, 200)), { left: 200 })
  t.ok(sandbox.ledger().calls.meter! < 60, `${sandbox.ledger().calls.meter} calls`)
})

t.test('Retry-After holds all calls, not just the one that was told', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'answer', status: 429, retryAfterSeconds: 1, count: 1 }])
  const startedAt = Date.now()
  const times: number[] = []
  const outcomes = await client.sendAll(calls(6), {
    concurrency: 1, deadline: inOneMinute(), onOutcome: () => { times.push(Date.now() - startedAt) }
  })
  t.strictSame(tally(outcomes), { delivered: 6 })
  t.ok(times[0]! >= 990, `${times[0]} ms`)
})

t.test('a pause that is longer than the time left is not begun', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'answer', status: 429, retryAfterSeconds: 3_600 }])
  const startedAt = Date.now()
  const outcomes = await send(client, 10, 2, Date.now() + 20_000)
  t.strictSame(tally(outcomes), { left: 10 })
  t.ok(Date.now() - startedAt < 10_000)
  t.ok(sandbox.ledger().calls.meter! <= 2)
})

t.test('nothing is sent after the deadline, and what is under way is cut off', async t => {
  const { client, sandbox } = await openTestPlatform(t, { timeoutMs: 60_000 })
  sandbox.faults.set([{ kind: 'hang' }])
  const startedAt = Date.now()
  t.strictSame(tally(await send(client, 10, 2, Date.now() + 300)), { left: 10 })
  t.ok(Date.now() - startedAt < 10_000)
  t.ok((sandbox.ledger().calls.meter ?? 0) <= 2)
  t.strictSame(await send(client, 1, 1, Date.now() - 1), [{ call: calls(1)[0], result: 'left', failure: null }])
})

t.test('a pair is sent again whole when its second half fails', async t => {
  const { client, sandbox } = await openTestPlatform(t, { profile: 'v2' })
  sandbox.faults.set([{ kind: 'answer', status: 503, route: 'responses', count: 2 }])
  t.strictSame(tally(await send(client, 3, 1)), { delivered: 3 })
  t.match(sandbox.ledger(), { metered: 6, duplicates: 2 })
})

t.test('backoff grows, is jittered, and is capped', async t => {
  const { platform, sandbox } = await openTestPlatform(t)
  const slept: number[] = []
  const client = createMeteringClient({
    platform,
    profile: PROFILES['v1-meter'],
    now: Date.now,
    random: () => { slept.push(1); return 0 }
  })
  sandbox.faults.set([{ kind: 'answer', status: 503, count: 3 }])
  const startedAt = Date.now()
  t.strictSame(tally(await send(client, 1)), { delivered: 1 })
  t.equal(slept.length, 3, 'each pause is drawn')
  t.ok(Date.now() - startedAt < 5_000, 'and may be as short as none')
})

t.test('many calls at once, under way or waiting, are no leak that Node warns of', async t => {
  const { client, sandbox } = await openTestPlatform(t, { maxConnections: 100 })
  const warnings: string[] = []
  const onWarning = ({ name }: Error): void => { warnings.push(name) }
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  sandbox.faults.set([{ kind: 'delay', delayMs: 50 }, { kind: 'answer', status: 503, count: 40 }])
  await send(client, 60, 40)
  const { signal } = new AbortController()
  await Promise.all(calls(40).map(call => client.post(call, signal)))
  t.strictSame(warnings, [])
})
