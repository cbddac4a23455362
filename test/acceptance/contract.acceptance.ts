import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { readLogEvents, readMetric, readMinutes } from './cloudwatch.js'
import { logGroupOf, namespaceOf, startGateway, TEST_TIMEOUT_MS, type ErrorBody } from './harness.js'

const MINUTE_MS = 60_000
const gateway = await startGateway()
const params = { Namespace: namespaceOf('contract'), MetricData: [{ MetricName: 'Clicks', Value: 1 }] }
const events = { logGroupName: logGroupOf('contract'), logStreamName: 'browser', logEvents: [{ message: 'hello' }] }

async function errorOf (path: string, body?: unknown): Promise<[number, number]> {
  const answer = await gateway.post<ErrorBody>(path, body)
  return [answer.status, answer.body.error.code]
}

test('a client token is traded for an access token, once or many times', async () => {
  const clientToken = gateway.clientToken()
  for (let i = 0; i < 2; i++) {
    const { status, body } = await gateway.post<{ accessToken: string }>('/token', { clientToken })
    assert.equal(status, 201)
    assert.equal((await gateway.post('/metric', { accessToken: body.accessToken, params })).status, 201)
  }
})

test('a missing, forged, expired or rewritten client token is refused', async () => {
  assert.deepEqual(await errorOf('/token'), [403, 100])
  assert.deepEqual(await errorOf('/token', {}), [403, 100])
  assert.deepEqual(await errorOf('/token', { clientToken: 'nonsense' }), [401, 101])
  const token = (timestamp: number | string, salt: string, secret: string) => {
    const hash = createHash('sha256').update(`${timestamp}${salt}${secret}`).digest('base64')
    return Buffer.from(`${timestamp}::${salt}::${hash}`).toString('base64')
  }
  assert.deepEqual(await errorOf('/token', { clientToken: token(Date.now(), 'salt', 'another secret') }), [401, 101])
  assert.deepEqual(await errorOf('/token', { clientToken: token(Date.now() - 25 * 60 * MINUTE_MS, 'salt', 'client-secret-of-the-acceptance-run') }), [401, 101])
  const now = String(Date.now())
  const signed = Buffer.from(token(now, '99salt', 'client-secret-of-the-acceptance-run'), 'base64').toString()
  const rewritten = Buffer.from(signed.replace(`${now}::99salt`, `${now}99::salt`)).toString('base64')
  assert.deepEqual(await errorOf('/token', { clientToken: rewritten }), [401, 101], 'digits moved from the salt to the timestamp')
})

test('a missing or forged access token is refused on every route that asks for one', async () => {
  for (const [path, body] of [['/metric', { params }], ['/metrics', { params }], ['/logEvents', events]] as const) {
    assert.deepEqual(await errorOf(path), [403, 110], `${path} without a body`)
    assert.deepEqual(await errorOf(path, body), [403, 110])
    assert.deepEqual(await errorOf(path, { accessToken: 'nonsense', ...body }), [401, 111])
  }
})

test('the access token is taken from the header, the body or the query', async () => {
  const accessToken = await gateway.accessToken()
  const inHeader = await gateway.post('/logEvents', events, { Authorization: `Bearer ${accessToken}` })
  const inBody = await gateway.post('/logEvents', { accessToken, ...events })
  const inQuery = await gateway.post(`/logEvents?accessToken=${accessToken}`, events)
  assert.deepEqual([inHeader.status, inBody.status, inQuery.status], [201, 201, 201])
})

test('/metric and /metrics answer in the form of the AWS SDK and both deliver', { timeout: TEST_TIMEOUT_MS }, async () => {
  const from = Date.now()
  const accessToken = await gateway.accessToken()
  const metric = { Namespace: namespaceOf('contract'), MetricName: 'Both' }
  for (const path of ['/metric', '/metrics']) {
    const { status, body } = await gateway.post(path, { accessToken, params: { Namespace: metric.Namespace, MetricData: [{ MetricName: 'Both', Value: 2 }] } })
    assert.equal(status, 201)
    assert.match(body.ResponseMetadata.RequestId, /^[0-9a-f-]{36}$/)
  }
  assert.equal((await readMetric(metric, 2, from)).Sum, 4)
})

test('metric timestamps may be ISO 8601, Unix seconds or Unix milliseconds', { timeout: TEST_TIMEOUT_MS }, async () => {
  const now = Date.now()
  const minute = Math.floor(now / MINUTE_MS) * MINUTE_MS
  const [iso, seconds, milliseconds] = [minute - 30 * MINUTE_MS, minute - 20 * MINUTE_MS, minute - 10 * MINUTE_MS]
  const metric = { Namespace: namespaceOf('contract'), MetricName: 'Timestamps' }
  await gateway.send('/metric', {
    params: {
      Namespace: metric.Namespace,
      MetricData: [
        { MetricName: 'Timestamps', Value: 1, Timestamp: new Date(iso).toISOString() },
        { MetricName: 'Timestamps', Value: 2, Timestamp: seconds / 1000 },
        { MetricName: 'Timestamps', Value: 3, Timestamp: milliseconds }
      ]
    }
  })
  await readMetric(metric, 3, iso)
  assert.deepEqual(await readMinutes(metric, 'Sum', iso), [
    { minute: iso, value: 1 }, { minute: seconds, value: 2 }, { minute: milliseconds, value: 3 }
  ])
})

test('log timestamps may be numbers or strings of digits', { timeout: TEST_TIMEOUT_MS }, async () => {
  const now = Date.now()
  const logEvents = [{ message: 'a number', timestamp: now - 2_000 }, { message: 'a string', timestamp: String(now - 1_000) }]
  await gateway.send('/logEvents', { logGroupName: logGroupOf('contract'), logStreamName: 'timestamps', logEvents })
  assert.deepEqual(await readLogEvents(logGroupOf('contract'), 'timestamps', 2), [
    { message: 'a number', timestamp: now - 2_000 }, { message: 'a string', timestamp: now - 1_000 }
  ])
})

test('GET /test answers with a request id, and HELLO_WORLD is there', { timeout: TEST_TIMEOUT_MS }, async () => {
  const from = Date.now()
  const metric = { Namespace: 'cloudwatch-postman', MetricName: 'HELLO_WORLD' }
  const before = (await readMinutes(metric, 'SampleCount', from)).reduce((sum, { value }) => sum + value, 0)
  const { status, body } = await gateway.get<{ ResponseMetadata: { RequestId: string } }>('/test')
  assert.equal(status, 200)
  assert.ok(body.ResponseMetadata.RequestId.length > 0)
  const { Minimum, Maximum } = await readMetric(metric, before + 1, from)
  assert.ok(Minimum >= 0 && Maximum <= 99, `from 0 to 99: ${Minimum} to ${Maximum}`)
})
