import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../../../helpers/forwarder.js'
import type { PlatformSandbox } from '../../../../tools/sandbox/platform/platform-sandbox.js'
import { startPlatform, type PlatformSandboxOptions } from '../../../../tools/sandbox/platform/platform-server.js'
import type { Teardown } from '../../../helpers/teardown.js'

const EVENT = { method: 'GET', url: '/', application: 'acme', responseCode: 200, source: 'AWS' }

async function open (t: Teardown, options?: PlatformSandboxOptions): Promise<PlatformSandbox> {
  const platform = await startPlatform(options)
  t.teardown(() => platform.close())
  return platform
}

async function meter (
  platform: PlatformSandbox, body: unknown, headers: Record<string, string> = {}
): Promise<Response> {
  return await fetch(platform.urls['v1-meter'], {
    method: 'POST', headers: { 'x-api-key': 'hak_sandbox', ...headers }, body: JSON.stringify(body)
  })
}

async function ask (platform: PlatformSandbox, query: string, key = 'hak_sandbox'): Promise<number> {
  return (await fetch(`${platform.urls['v1-meter']}/product-key?${query}`, { headers: { 'x-api-key': key } })).status
}

async function control (platform: PlatformSandbox, method: string, path: string, body?: unknown): Promise<Response> {
  return await fetch(`${platform.url}/_platform${path}`, {
    method, ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
}

t.test('an event is recorded once for each idempotency key', async t => {
  const platform = await open(t)
  for (const key of ['a', 'a', 'b']) t.equal((await meter(platform, EVENT, { 'idempotency-key': key })).status, 200)
  await meter(platform, EVENT)
  await meter(platform, EVENT)
  t.match(platform.ledger(), {
    metered: 4,
    duplicates: 1,
    byApplication: { acme: 4 },
    calls: { meter: 5 },
    answers: { meter: { 200: 5 } }
  })
})

t.test('a platform that knows no idempotency records everything', async t => {
  const platform = await open(t, { idempotent: false })
  for (const key of ['a', 'a']) await meter(platform, EVENT, { 'idempotency-key': key })
  t.match(platform.ledger(), { metered: 2, duplicates: 0 })
})

t.test('an event with a wrong member is refused by its name', async t => {
  const platform = await open(t)
  const wrong: Array<[object, RegExp]> = [
    [{ ...EVENT, responseCode: '200' }, /responseCode must be a status/],
    [{ ...EVENT, backendLatency: '-' }, /backendLatency must be a number/],
    [{ ...EVENT, responseMessageSize: 1.5 }, /responseMessageSize must be a integer/],
    [{ ...EVENT, color: 'red' }, /color is not known/],
    [{ responseCode: 200 }, /method is required/], [[], /must be an object/]
  ]
  for (const [body, message] of wrong) {
    const response = await meter(platform, body)
    t.equal(response.status, 400)
    t.match(await response.json(), { message })
  }
  t.equal(platform.ledger().metered, 0)
})

t.test('a wrong key is refused', async t => {
  const platform = await open(t, { apiKey: 'right' })
  t.equal((await meter(platform, EVENT)).status, 401)
  t.equal(await ask(platform, 'application=acme'), 401)
  platform.setApiKey('hak_sandbox')
  t.equal((await meter(platform, EVENT)).status, 200)
})

t.test('entitled clients are found, all others are not', async t => {
  const platform = await open(t)
  t.equal((await control(platform, 'PUT', '/clients', { acme: 'entitled', broke: 'denied' })).status, 204)
  t.strictSame(
    [
      await ask(platform, 'application=acme'),
      await ask(platform, 'application=broke'),
      await ask(platform, 'application=nobody')
    ],
    [200, 404, 404]
  )
  t.equal(
    await ask(platform, 'application=nobody&productKey=acme'),
    200,
    'a second parameter counts, as it does on the platform'
  )
  t.strictSame(platform.ledger().asked, { acme: 2, broke: 1, nobody: 2 })
})

t.test('it is told over HTTP to fail', async t => {
  const platform = await open(t)
  const rules = [
    { kind: 'answer', status: 429, retryAfterSeconds: 7, count: 1 },
    { kind: 'answer', status: 503, count: 1 },
    { kind: 'reset', count: 1 },
    { kind: 'garbage', count: 1 }, { kind: 'answer', status: 404, application: 'other' }
  ]
  t.equal((await control(platform, 'PUT', '/faults', rules)).status, 200)
  const throttled = await meter(platform, EVENT)
  t.strictSame([throttled.status, throttled.headers.get('retry-after')], [429, '7'])
  t.equal((await meter(platform, EVENT)).status, 503)
  await t.rejects(meter(platform, EVENT))
  await t.rejects((await meter(platform, EVENT)).json())
  t.equal((await meter(platform, EVENT)).status, 200)
  t.equal((await meter(platform, { ...EVENT, application: 'other' })).status, 404)
  t.match(await (await control(platform, 'GET', '/faults')).json(), [{ status: 404 }])
  t.equal((await control(platform, 'DELETE', '/faults')).status, 204)
  t.equal((await meter(platform, { ...EVENT, application: 'other' })).status, 200)
  t.match(await (await control(platform, 'GET', '/ledger')).json(), platform.ledger())
  t.equal((await (await control(platform, 'GET', '/events')).json() as unknown[]).length, platform.ledger().metered)
})

t.test('an answer that is lost after the event was recorded leaves it recorded', async t => {
  const platform = await open(t)
  platform.faults.set([{ kind: 'reset', afterStore: true, count: 1 }])
  await t.rejects(meter(platform, EVENT, { 'idempotency-key': 'a' }))
  await meter(platform, EVENT, { 'idempotency-key': 'a' })
  t.match(platform.ledger(), { metered: 1, duplicates: 1, answers: { meter: { 0: 1, 200: 1 } } })
})

t.test('slow and hanging calls end with the test, not before', async t => {
  const platform = await open(t)
  platform.faults.set([{ kind: 'delay', delayMs: 60, count: 1 }, { kind: 'hang', count: 1 }])
  const hanging = meter(platform, EVENT).catch((error: Error) => error)
  await until(() => platform.ledger().calls.meter === 1)
  await sleep(200)
  t.equal((await meter(platform, EVENT)).status, 200)
  platform.faults.clear()
  t.ok(await hanging instanceof Error)
})

t.test('a plan, or a client, that is none is refused with its reason', async t => {
  const platform = await open(t)
  const wrong: Array<[string, unknown, RegExp]> = [
    ['/faults', [{ kind: 'explode' }], /rules\[0\].kind must be one of/],
    ['/faults', [{ kind: 'answer' }], /rules\[0\].status/],
    ['/faults', [{ kind: 'delay' }], /rules\[0\].delayMs/], ['/faults', [{}], /rules\[0\].kind/],
    ['/faults', [{ kind: 'answer', status: 200 }], /300 to 599/],
    ['/faults', [{ kind: 'reset', color: 'red' }], /color is not known/],
    ['/clients', { acme: 'rich' }, /acme must be entitled or denied/], ['/clients', [], /must be an object/]
  ]
  for (const [path, body, message] of wrong) {
    const response = await control(platform, 'PUT', path, body)
    t.equal(response.status, 400)
    t.match(await response.json(), { message })
  }
  t.equal((await control(platform, 'GET', '/none')).status, 404)
  t.equal((await fetch(`${platform.url}/none`)).status, 404)
})

t.test('a reset forgets everything', async t => {
  const platform = await open(t)
  platform.setClients({ acme: 'entitled' })
  await meter(platform, EVENT)
  t.equal((await control(platform, 'DELETE', '')).status, 204)
  t.match(platform.ledger(), { metered: 0, calls: {} })
  t.equal(await ask(platform, 'application=acme'), 404)
})
