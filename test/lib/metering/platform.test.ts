import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { createFetchedKey, fixedKey } from '../../../lib/metering/api-key.js'
import { createPlatform } from '../../../lib/metering/platform.js'
import { failureOfAnswer } from '../../../lib/metering/platform-failure.js'
import { meteredCall, openTestPlatform } from '../../helpers/metering.js'

/** @returns the URL of a server that is closed with the test */
async function serve (t: Test, handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const QUESTION = { method: 'GET', path: '/product-key?application=acme' } as const

t.test('an answer comes with its status, headers and the beginning of its body', async t => {
  const { platform, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'answer', status: 429, retryAfterSeconds: 7, message: 'slow down' }])
  const answer = await platform.request(QUESTION)
  t.match(answer, { status: 429, headers: { 'retry-after': '7' }, text: '{"message":"slow down"}' })
})

t.test('connections are used again', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  for (let i = 0; i < 10; i++) await client.post(meteredCall(`c${i}`))
  t.equal(sandbox.ledger().metered, 10)
  t.ok(sandbox.ledger().connections <= 2, `${sandbox.ledger().connections} connections`)
})

t.test('no more requests are under way than allowed, and those that wait take their turn', async t => {
  const { client, sandbox } = await openTestPlatform(t, { maxConnections: 2 })
  sandbox.faults.set([{ kind: 'delay', delayMs: 20 }])
  const failures = await Promise.all(
    Array.from({ length: 12 }, (_none, index) => client.post(meteredCall(`c${index}`)))
  )
  t.same(failures, Array.from({ length: 12 }, () => null))
  t.equal(sandbox.ledger().metered, 12)
  t.ok(sandbox.ledger().connections <= 2, `${sandbox.ledger().connections} connections`)
})

t.test('the time of a request counts while it waits for a connection, and its signal ends the wait', async t => {
  const { platform, sandbox } = await openTestPlatform(t, { maxConnections: 1, timeoutMs: 200 })
  sandbox.faults.set([{ kind: 'hang' }])
  const controller = new AbortController()
  const hanging = platform.request(QUESTION)
  const waiting = platform.request(QUESTION)
  const aborted = platform.request({ ...QUESTION, signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.rejects(aborted, { message: 'enough' })
  await t.rejects(hanging, { message: /no answer in 200 ms/ })
  await t.rejects(waiting, { message: /no answer in 200 ms/ })
  sandbox.faults.clear()
  t.equal((await platform.request(QUESTION)).status, 404, 'the place is free again')
})

t.test('a redirect is an answer, and nobody is sent the key for it', async t => {
  const asked: string[] = []
  const url = await serve(t, (request, response) => {
    asked.push(request.url!)
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  const platform = createPlatform({ baseUrl: url, apiKey: fixedKey('hak_secret'), timeoutMs: 5_000, maxConnections: 1 })
  t.equal((await platform.request({ method: 'GET', path: '/product-key' })).status, 302)
  t.same(asked, ['/product-key'])
})

t.test('of a long answer the beginning is kept, and one too long is none', async t => {
  const url = await serve(t, (request, response) => {
    response.on('error', () => {}).end(Buffer.alloc(request.url === '/long' ? 1_000_000 : 1_100_000, 'x'))
  })
  const platform = createPlatform({ baseUrl: url, apiKey: fixedKey('k'), timeoutMs: 5_000, maxConnections: 1 })
  t.equal((await platform.request({ method: 'GET', path: '/long' })).text.length, 2_048)
  await t.rejects(platform.request({ method: 'GET', path: '/too-long' }), { message: /too long/ })
})

t.test('a connection that was cut while idle costs no call', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  await client.post(meteredCall('first'))
  sandbox.faults.set([{ kind: 'reset', count: 1 }])
  t.equal(await client.post(meteredCall('second')), null)
  t.equal(sandbox.ledger().metered, 2)
})

t.test('a platform that does not answer in time has not answered', async t => {
  const { client, sandbox } = await openTestPlatform(t, { timeoutMs: 100 })
  sandbox.faults.set([{ kind: 'hang' }])
  t.match(await client.post(meteredCall('c')), { class: 'unavailable', message: /no answer in 100 ms/ })
})

t.test('an answer that never ends is given up', async t => {
  const { client, sandbox } = await openTestPlatform(t, { timeoutMs: 100 })
  sandbox.faults.set([{ kind: 'delay', delayMs: 3_000 }])
  t.match(await client.post(meteredCall('c')), { class: 'unavailable' })
})

t.test('a platform that is not there is no exception of the client', async t => {
  const { client, sandbox } = await openTestPlatform(t)
  await sandbox.close()
  t.match(await client.post(meteredCall('c')), { class: 'unavailable', message: /ECONNREFUSED|ECONNRESET|socket/ })
})

t.test('a request is cut off by its signal', async t => {
  const { platform, sandbox } = await openTestPlatform(t)
  sandbox.faults.set([{ kind: 'hang' }])
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error('enough')), 50)
  await t.rejects(platform.request({ ...QUESTION, signal: controller.signal }), { message: 'enough' })
})

t.test('a rotated key is fetched again, once', async t => {
  let stored = 'old'
  let fetched = 0
  const key = createFetchedKey({
    fetch: async () => { fetched++; return stored },
    now: Date.now,
    maxAgeMs: 60_000,
    minAgeMs: 0
  })
  const { client, sandbox } = await openTestPlatform(t, { key, apiKey: 'old' })
  t.equal(await client.post(meteredCall('a')), null)
  stored = 'new'
  sandbox.setApiKey('new')
  t.equal(await client.post(meteredCall('b')), null)
  t.equal(await client.post(meteredCall('c')), null)
  t.equal(fetched, 2)
  t.equal(sandbox.ledger().metered, 3)
})

t.test('a key that is read and read again, and two attempts, have one time limit together', async t => {
  const read = async (signal: AbortSignal | undefined): Promise<string> => await sleep(120, randomUUID(), { signal })
  const key = createFetchedKey({ fetch: read, now: Date.now, maxAgeMs: 60_000, minAgeMs: 0 })
  const { platform, sandbox } = await openTestPlatform(t, { key, totalTimeoutMs: 400 })
  sandbox.faults.set([{ kind: 'delay', delayMs: 120 }])
  await t.rejects(platform.request(QUESTION), { message: 'no answer in 400 ms' })
  await t.rejects(
    createFetchedKey({ fetch: read, now: Date.now, maxAgeMs: 60_000, minAgeMs: 0 }).get(AbortSignal.timeout(10)),
    { name: 'ApiKeyError' }
  )
})

t.test('a wrong key is not fetched for every call', async t => {
  let fetched = 0
  const key = createFetchedKey({
    fetch: async () => { fetched++; return 'wrong' },
    now: Date.now,
    maxAgeMs: 60_000,
    minAgeMs: 30_000
  })
  const { client } = await openTestPlatform(t, { key })
  for (let i = 0; i < 5; i++) t.match(await client.post(meteredCall(`c${i}`)), { class: 'denied' })
  t.equal(fetched, 1)
})

t.test('a key grows old, and one that could not be fetched is fetched again', async t => {
  let now = 0
  let fetched = 0
  const key = createFetchedKey({
    fetch: async () => {
      if (++fetched === 1) throw new Error('no secret')
      return `key ${fetched}`
    },
    now: () => now,
    maxAgeMs: 1_000,
    minAgeMs: 100
  })
  await t.rejects(key.get(), /no secret/)
  t.equal(await key.get(), 'key 2')
  now = 999
  t.equal(await key.get(), 'key 2')
  now = 1_000
  t.equal(await key.get(), 'key 3')
})

t.test('statuses have their classes', async t => {
  const statuses = {
    taken: [200, 201, 204],
    invalid: [400, 404, 413, 415, 422],
    denied: [301, 302, 401, 402, 403, 405],
    conflict: [409],
    throttle: [429],
    unavailable: [408, 425, 500, 502, 503, 504]
  }
  for (const [expected, list] of Object.entries(statuses)) {
    for (const status of list) {
      t.equal(failureOfAnswer({ status, headers: {}, text: '' })?.class ?? 'taken', expected, String(status))
    }
  }
})

t.test('a web page is not an answer of the platform, whatever its status says', async t => {
  for (const status of [200, 302, 404]) {
    t.match(
      failureOfAnswer({ status, headers: {}, text: '\n<!doctype html>' }),
      { class: 'denied', message: /not the address/ },
      String(status)
    )
  }
  t.match(
    failureOfAnswer({ status: 502, headers: {}, text: '<html>' }),
    { class: 'unavailable' },
    'a proxy before it says that it is away'
  )
})

t.test('hints are read, and messages are one line of limited length', async t => {
  t.equal(failureOfAnswer({ status: 429, headers: { 'retry-after': '2' }, text: '' })?.retryAfterMs, 2_000)
  t.equal(
    failureOfAnswer({ status: 429, headers: { 'retry-after': '2', 'retry-after-ms': '150' }, text: '' })?.retryAfterMs,
    150
  )
  t.equal(failureOfAnswer({ status: 503, headers: { 'retry-after': 'soon' }, text: '' })?.retryAfterMs, undefined)
  t.equal(
    failureOfAnswer({ status: 400, headers: {}, text: 'no\n such\t field \u0007' })?.message,
    'HTTP 400 from the metering platform: no such field'
  )
  t.ok(failureOfAnswer({ status: 400, headers: {}, text: 'x'.repeat(10_000) })!.message.length < 400)
})

t.test('the key is in no message', async t => {
  const { sandbox, platform } = await openTestPlatform(t, { key: fixedKey('hak_secret') })
  const answer = await platform.request(QUESTION)
  t.notMatch(failureOfAnswer(answer)!.message, /hak_secret/)
  await sandbox.close()
  const error = await platform.request(QUESTION).catch((error: Error) => error) as Error
  t.notMatch(inspect(error, { depth: 10 }), /hak_secret/)
})

t.test('an address that is none is refused at once', async t => {
  for (const baseUrl of [
    '', 'api.example.com', 'ftp://example.com', 'https://example.com/?a=b', 'https://user@example.com'
  ]) {
    t.throws(
      () => createPlatform({ baseUrl, apiKey: fixedKey('k'), timeoutMs: 1, maxConnections: 1 }), TypeError, baseUrl
    )
  }
})
