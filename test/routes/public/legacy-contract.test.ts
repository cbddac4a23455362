import { createHash } from 'node:crypto'
import t from 'tap'
import { BACKENDS, CLIENT_SECRET_KEY, eventually, startGateway } from '../../helpers/app.js'

const UUID = /^[0-9a-f-]{36}$/

function clientToken (timestamp = Date.now(), secret = CLIENT_SECRET_KEY): string {
  const hash = createHash('sha256').update(`${timestamp}salt${secret}`).digest('base64')
  return Buffer.from([timestamp, 'salt', hash].join('::')).toString('base64')
}

for (const backend of BACKENDS) {
  t.test(`the predecessor's contract, ${backend}`, async t => {
    const { url, post, sandbox } = await startGateway(t, {}, backend)
    const answerOf = async (response: Response) => ({
      status: response.status, body: await response.json() as Record<string, unknown>
    })
    const error = (code: number, message: string) => ({ error: { code, message } })
    const bare = (path: string) => fetch(url + path, { method: 'POST' }).then(answerOf)
    const accessToken = (await answerOf(await post('/token', {
      clientToken: clientToken()
    }))).body.accessToken as string

    t.test('POST /token', async t => {
      t.match(await answerOf(await post('/token', { clientToken: clientToken() })), {
        status: 201, body: { accessToken: /^ey[\w-]+\.[\w-]+\.[\w-]+$/ }
      })
      const missing = { status: 403, body: error(100, 'Required parameter is missing: "clientToken".') }
      t.same(await answerOf(await post('/token', {})), missing)
      t.same(await answerOf(await post('/token', { clientToken: '' })), missing)
      t.same(await bare('/token'), missing, 'no body at all')
      const invalid = { status: 401, body: error(101, 'Required parameter "clientToken" is invalid.') }
      t.same(await answerOf(await post('/token', { clientToken: 'nonsense' })), invalid)
      t.same(await answerOf(await post('/token', { clientToken: 5 })), invalid)
      t.same(await answerOf(await post('/token', { clientToken: clientToken(Date.now(), 'other') })), invalid)
      t.same(await answerOf(await post('/token', { clientToken: clientToken(Date.now() - 25 * 3_600_000) })), invalid)
    })

    const missing = { status: 403, body: error(110, 'Required parameter is missing: "accessToken".') }
    const invalid = { status: 401, body: error(111, 'Required parameter "accessToken" is invalid.') }

    for (const path of ['/metric', '/metrics']) {
      t.test(`POST ${path}`, async t => {
        const params = {
          Namespace: `legacy${path}`,
          MetricData: [{
            MetricName: 'clicks',
            Value: 3,
            Unit: 'Count',
            Timestamp: new Date().toISOString(),
            Dimensions: [{ Name: 'Page', Value: '/' }]
          }]
        }
        t.match(await answerOf(await post(path, { accessToken, params })), {
          status: 201, body: { ResponseMetadata: { RequestId: UUID } }
        })
        t.same(await answerOf(await post(path, { params })), missing)
        t.same(await answerOf(await post(path, { accessToken: '', params })), missing)
        t.same(await answerOf(await post(path, { accessToken: null, params })), missing)
        t.same(await bare(path), missing, 'no body at all')
        t.same(await answerOf(await post(path, { accessToken: 'nonsense', params })), invalid)
        t.same(await answerOf(await post(path, { accessToken: 7, params })), invalid)
        const series = await eventually(() => sandbox.series(`legacy${path}`)[0])
        t.match(series, { metricName: 'clicks', dimensions: [{ Name: 'Page', Value: '/' }] })
      })
    }

    t.test('POST /logEvents', async t => {
      const now = Date.now()
      const body = {
        accessToken,
        logGroupName: '/legacy/app',
        logStreamName: 'browser',
        logEvents: [{ message: 'number', timestamp: now }, { message: 'string', timestamp: String(now + 1) }]
      }
      t.match(await answerOf(await post('/logEvents', body)), {
        status: 201, body: { ResponseMetadata: { RequestId: UUID }, accepted: 2, rejected: [] }
      })
      t.same(await answerOf(await post('/logEvents', { ...body, accessToken: undefined })), missing)
      t.same(await bare('/logEvents'), missing, 'no body at all')
      t.same(await answerOf(await post('/logEvents', { ...body, accessToken: 'nonsense' })), invalid)
      await eventually(() => sandbox.ledger().events === 2 ? true : undefined)
      t.same([...sandbox.items('/legacy/app')], [
        { logGroupName: '/legacy/app', logStreamName: 'browser', timestamp: now, message: 'number' },
        { logGroupName: '/legacy/app', logStreamName: 'browser', timestamp: now + 1, message: 'string' }
      ])
    })

    t.test('GET /test', async t => {
      const calls = () => sandbox.ledger().calls.PutMetricData ?? 0
      const before = calls()
      t.match(await answerOf(await fetch(`${url}/test`)), {
        status: 200, body: { ResponseMetadata: { RequestId: UUID } }
      })
      t.equal(calls(), before + 1, 'answered after CloudWatch has')
      const [series] = sandbox.series('cloudwatch-postman')
      t.match(series, { metricName: 'HELLO_WORLD' })
    })
  })
}

t.test('in production GET /test is one a minute per IP', async t => {
  const { url } = await startGateway(t, { NODE_ENV: 'production' })
  t.equal((await fetch(`${url}/test`)).status, 200)
  const second = await fetch(`${url}/test`)
  t.equal(second.status, 429)
  t.match(await second.json(), { error: { code: 150 } })
  t.ok(Number(second.headers.get('retry-after')) > 0)
  t.ok(Number(second.headers.get('retry-after')) <= 60)
})
