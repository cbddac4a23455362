import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { startGateway } from '../../helpers/app.js'
import type { FaultRule } from '../../../tools/sandbox/fault-plan.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'

async function ask (url: string) {
  const response = await fetch(`${url}/test`)
  return { status: response.status, body: await response.json() as { error: { code: number, message: string } } }
}

t.test('sends one metric straight to CloudWatch, without the spool', async t => {
  const { app, url, sandbox } = await startGateway(t, { FORWARDER: 'off' })
  t.equal((await ask(url)).status, 200)
  t.same(sandbox.ledger().calls, { PutMetricData: 1 })
  t.match(sandbox.series('cloudwatch-postman'), [{ metricName: 'HELLO_WORLD' }])
  t.match(await app.spool.ledger(), { accepted: 0, inSpool: 0 })
})

t.test('an error of CloudWatch is answered at once, by its class, and the call is not repeated', async t => {
  const { url, sandbox } = await startGateway(t)
  const cases: Array<[FaultRule, string]> = [
    [
      {
        kind: 'refuse',
        code: 'AccessDeniedException',
        message: 'arn:aws:iam::123456789012:role/secret is not authorized'
      },
      'AccessDenied'
    ],
    [{ kind: 'throttle' }, 'Throttling'],
    [{ kind: 'error', status: 503 }, 'ServiceUnavailable'],
    [{ kind: 'garbage' }, 'HTTP-200'],
    [{ kind: 'reset' }, 'ECONNRESET']
  ]
  for (const [index, [rule, name]] of cases.entries()) {
    sandbox.faults.set([rule])
    t.same(await ask(url), {
      status: 502, body: { error: { code: 171, message: `The call to CloudWatch failed: ${name}.` } }
    })
    t.equal(sandbox.calls().length, index + 1, name)
  }
  sandbox.faults.clear()
  t.equal((await ask(url)).status, 200)
})

t.test('a CloudWatch that cannot be reached is named', async t => {
  const unused = createServer().listen(0, '127.0.0.1')
  await once(unused, 'listening')
  const { port } = unused.address() as AddressInfo
  unused.close()
  await once(unused, 'close')
  const { url } = await startGateway(t)
  process.env.AWS_ENDPOINT_URL_CLOUDWATCH = `http://127.0.0.1:${port}`
  t.teardown(() => { delete process.env.AWS_ENDPOINT_URL_CLOUDWATCH })
  t.match(await ask(url), {
    status: 502, body: { error: { code: 171, message: 'The call to CloudWatch failed: ECONNREFUSED.' } }
  })
})

t.test('an endpoint that is not CloudWatch is named at once', async t => {
  for (const [status, name] of [[200, 'HTTP-200'], [301, 'HTTP-301'], [404, 'HTTP-404'], [502, 'HTTP-502']] as const) {
    const server = createHttpServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'text/html', location: '/' }).end('<h1>It works!</h1>')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { url } = await startGateway(t)
    process.env.AWS_ENDPOINT_URL_CLOUDWATCH = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => { delete process.env.AWS_ENDPOINT_URL_CLOUDWATCH })
    const startedAt = performance.now()
    t.match(await ask(url), {
      status: 502, body: { error: { code: 171, message: `The call to CloudWatch failed: ${name}.` } }
    })
    t.ok(performance.now() - startedAt < 5_000)
    server.close()
  }
})

t.test('a CloudWatch that does not answer in time is 504', async t => {
  const { url, sandbox } = await startGateway(t, { AWS_REQUEST_TIMEOUT_MS: '300' })
  sandbox.faults.set([{ kind: 'hang' }])
  t.same(await ask(url), {
    status: 504, body: { error: { code: 170, message: 'CloudWatch has not answered in time.' } }
  })
  t.equal(sandbox.calls().length, 1)
})

t.test('its calls are counted like all others', async t => {
  const { url, sandbox } = await startGateway(t, { ADMIN_TOKEN })
  t.equal((await ask(url)).status, 200)
  sandbox.faults.set([{ kind: 'refuse', code: 'AccessDeniedException' }])
  t.equal((await ask(url)).status, 502)
  const metrics = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })).text()
  t.match(metrics, 'cloudwatch_postman_aws_calls_total{api="PutMetricData",outcome="ok"} 1\n')
  t.match(metrics, 'cloudwatch_postman_aws_calls_total{api="PutMetricData",outcome="denied"} 1\n')
})
