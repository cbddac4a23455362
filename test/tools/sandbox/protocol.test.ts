import { ListMetricsCommand, PutDashboardCommand } from '@aws-sdk/client-cloudwatch'
import { DescribeLogGroupsCommand, StartQueryCommand } from '@aws-sdk/client-cloudwatch-logs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { classifyFailure } from '../../../lib/resilience/failure.js'
import { startSandbox } from '../../../tools/sandbox/server.js'
import { openSandbox } from '../../helpers/sandbox.js'

const LIST_METRICS = {
  'x-amz-target': 'GraniteServiceVersion20100801.ListMetrics', authorization: 'AWS4-HMAC-SHA256 test'
}

async function post (url: string, headers: Record<string, string>, body: string | Uint8Array = '{}') {
  const response = await fetch(url, { method: 'POST', headers, body })
  return { status: response.status, headers: response.headers, body: await response.json() as Record<string, unknown> }
}

t.test('every answer has a request id, and the content type of its service', async t => {
  const { url } = await openSandbox(t)
  const metrics = await post(url, LIST_METRICS)
  t.equal(metrics.status, 200)
  t.match(metrics.headers.get('x-amzn-requestid'), /^[0-9a-f-]{36}$/)
  t.equal(metrics.headers.get('content-type'), 'application/x-amz-json-1.0')
  const logs = await post(url, { ...LIST_METRICS, 'x-amz-target': 'Logs_20140328.DescribeLogGroups' })
  t.equal(logs.headers.get('content-type'), 'application/x-amz-json-1.1')
  t.not(logs.headers.get('x-amzn-requestid'), metrics.headers.get('x-amzn-requestid'))
})

t.test('errors of CloudWatch carry the query code for clients that ask for it', async t => {
  const { url } = await openSandbox(t)
  const put = { ...LIST_METRICS, 'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData' }
  const plain = await post(url, put)
  t.match(plain, {
    status: 400,
    body: {
      __type: 'com.amazonaws.cloudwatch#MissingRequiredParameterException',
      message: 'The parameter Namespace is required.'
    }
  })
  t.equal(plain.headers.get('x-amzn-query-error'), null)
  const compatible = await post(url, { ...put, 'x-amzn-query-mode': 'true' })
  t.equal(compatible.headers.get('x-amzn-query-error'), 'MissingParameter;Sender')
})

t.test('a call without Authorization is refused', async t => {
  const { url } = await openSandbox(t)
  const { authorization, ...anonymous } = LIST_METRICS
  t.match(await post(url, anonymous), {
    status: 403, body: { __type: /MissingAuthenticationTokenException$/, message: 'Missing Authentication Token' }
  })
})

t.test('a signature of more than five minutes before or after now is refused, and the SDK sets its clock by the answer', async t => {
  const sandbox = await openSandbox(t)
  const list = { 'x-amz-target': 'Logs_20140328.DescribeLogGroups', authorization: 'AWS4-HMAC-SHA256 test' }
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  for (const byMs of [-290_000, 0, 290_000]) {
    t.equal((await post(sandbox.url, { ...list, 'x-amz-date': at(byMs) })).status, 200)
  }
  const early = {
    __type: 'InvalidSignatureException',
    message: /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 5 min\.\)$/
  }
  const late = {
    __type: /#InvalidSignatureException$/,
    message: /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$/
  }
  t.match(await post(sandbox.url, { ...list, 'x-amz-date': at(-310_000) }), { status: 400, body: early })
  const refused = await post(sandbox.url, { ...LIST_METRICS, 'x-amz-date': at(310_000), 'x-amzn-query-mode': 'true' })
  t.match(refused, { status: 403, body: late })
  t.equal(refused.headers.get('x-amzn-query-error'), 'SignatureDoesNotMatch;Sender')

  const { cloudwatch, logs } = sandbox
  for (const { config } of [cloudwatch, logs]) config.systemClockOffset = 3_600_000
  for (const send of [
    () => cloudwatch.send(new ListMetricsCommand()), () => logs.send(new DescribeLogGroupsCommand())
  ]) {
    const failure = await (send() as Promise<unknown>).catch(classifyFailure)
    t.match(failure, { class: 'unavailable', message: /Signature not yet current/ })
    await t.resolves(send())
  }
})

t.test('an unknown action is refused', async t => {
  const sandbox = await openSandbox(t)
  const unknown = { name: 'UnknownOperationException', $metadata: { httpStatusCode: 400 } }
  await t.rejects(
    sandbox.cloudwatch.send(new PutDashboardCommand({ DashboardName: 'd', DashboardBody: '{}' })), unknown
  )
  await t.rejects(
    sandbox.logs.send(new StartQueryCommand({ startTime: 0, endTime: 1, queryString: 'fields @message' })), unknown
  )
  for (const target of ['', 'Nothing', 'Logs_20140328', 'Logs_20140328.toString', 'Other.ListMetrics']) {
    t.match(
      await post(sandbox.url, { ...LIST_METRICS, 'x-amz-target': target }),
      { status: 400, body: { __type: 'UnknownOperationException' } },
      target
    )
  }
})

t.test('a body that is not what the action takes is a SerializationException', async t => {
  const { url } = await openSandbox(t)
  for (const body of ['', 'nonsense', '[]', 'null', '{"Namespace":7}', '{"Dimensions":{}}', '{"Dimensions":[7]}']) {
    t.match(await post(url, LIST_METRICS, body), { status: 400, body: { __type: /SerializationException$/ } }, body)
  }
  t.match(await post(url, { ...LIST_METRICS, 'content-encoding': 'gzip' }, '{}'), {
    status: 400, body: { __type: /SerializationException$/ }
  })
  t.match(await post(url, { ...LIST_METRICS, 'content-encoding': 'br' }, '{}'), {
    status: 400, body: { __type: /SerializationException$/ }
  })
})

t.test('gzip bodies are inflated, up to a cap', async t => {
  const { url } = await openSandbox(t)
  const gzip = { ...LIST_METRICS, 'content-encoding': 'gzip' }
  t.match(await post(url, gzip, gzipSync('{"Namespace":"app"}')), { status: 200, body: { Metrics: [] } })
  t.match(await post(url, gzip, gzipSync(Buffer.alloc(64 * 1_048_576))), { status: 413 })
  t.match(await post(url, LIST_METRICS, Buffer.alloc(20 * 1_048_576)), { status: 413 })
})

t.test('connections are kept alive', async t => {
  const { url } = await openSandbox(t)
  const { headers } = await post(url, LIST_METRICS)
  t.equal(headers.get('connection'), 'keep-alive')
  t.equal(headers.get('keep-alive'), 'timeout=60')
})

t.test('a client that goes away in the middle of a body does no harm', async t => {
  const sandbox = await openSandbox(t)
  const socket = connect(sandbox.port, '127.0.0.1')
  socket.write(
    'POST / HTTP/1.1\r\nhost: x\r\nauthorization: x\r\nx-amz-target: Logs_20140328.PutLogEvents\r\ncontent-length: ' +
      '100\r\n\r\n{'
  )
  await new Promise(resolve => setTimeout(resolve, 50))
  socket.destroy()
  await once(socket, 'close')
  while (sandbox.calls().length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.match(sandbox.calls(), [{ action: 'PutLogEvents', status: 0, error: 'aborted' }])
  t.equal((await post(sandbox.url, LIST_METRICS)).status, 200)
})

t.test('close cuts open connections, and may be called twice', async t => {
  const sandbox = await startSandbox()
  const socket = connect(sandbox.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await sandbox.close()
  await closed
  await sandbox.close()
  await t.rejects(fetch(sandbox.url))
})

t.test('a port that is taken is an error', async t => {
  const sandbox = await openSandbox(t)
  await t.rejects(startSandbox({ port: sandbox.port }), { code: 'EADDRINUSE' })
})
