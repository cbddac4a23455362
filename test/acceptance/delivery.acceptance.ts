import assert from 'node:assert/strict'
import test from 'node:test'
import { readLogEvents, readMetric } from './cloudwatch.js'
import { logGroupOf, namespaceOf, startGateway, TEST_TIMEOUT_MS, type ErrorBody, type Gateway } from './harness.js'
import { startRecorder } from './recorder.js'

const timeout = TEST_TIMEOUT_MS
const logGroupName = logGroupOf('delivery')
const Namespace = namespaceOf('delivery')
/** Longer than any test: what is stored stays in the spool until somebody waits for it or the gateway ends. */
const IDLE = { FLUSH_INTERVAL_MS: '60000' }
const ENCRYPTED = process.env.AWS_ENDPOINT_URL?.startsWith('http://') ? {} : { skip: 'what passes between the gateway and this endpoint cannot be recorded' }

test('Prefer: wait answers after the delivery', { timeout }, async () => {
  const gateway = await startGateway(IDLE)
  const { status, headers } = await gateway.send('/logEvents', { logGroupName, logStreamName: 'wait', logEvents: [{ message: 'delivered' }] }, { Prefer: 'wait=20' })
  assert.deepEqual([status, headers.get('preference-applied')], [201, 'wait=20'])
  assert.equal((await readLogEvents(logGroupName, 'wait', 1))[0]!.message, 'delivered')
})

test('Prefer: wait carries AWS\'s own request id', { timeout, ...ENCRYPTED }, async () => {
  const recorder = await startRecorder(process.env.AWS_ENDPOINT_URL!)
  const gateway = await startGateway({ ...IDLE, AWS_ENDPOINT_URL: recorder.url, AWS_ENDPOINT_URL_CLOUDWATCH: '', AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: '' })
  const metric = await gateway.send('/metric', { params: { Namespace, MetricData: [{ MetricName: 'Waited', Value: 1 }] } }, { Prefer: 'wait=20' })
  const logs = await gateway.send('/logEvents', { logGroupName, logStreamName: 'request-id', logEvents: [{ message: 'delivered' }] }, { Prefer: 'wait=20' })
  for (const { headers, body: { ResponseMetadata } } of [metric, logs]) {
    assert.equal(headers.get('preference-applied'), 'wait=20')
    assert.ok(recorder.requestIds.has(ResponseMetadata.RequestId), `${ResponseMetadata.RequestId} is one of ${[...recorder.requestIds].join(', ')}`)
  }
})

test('a bad item never takes the good ones with it', { timeout }, async () => {
  const gateway = await startGateway()
  const from = Date.now()
  const metrics = await gateway.send('/metric', {
    params: { Namespace, MetricData: [{ MetricName: 'Beside', Value: 1 }, { MetricName: 'Beside', Value: 'two' }, { MetricName: 'Beside', Value: 3, Unit: 'ms' }, { MetricName: 'Beside', Value: 4 }] }
  })
  assert.equal(metrics.status, 201)
  assert.equal(metrics.body.accepted, 2)
  assert.deepEqual(metrics.body.rejected.map(({ index, reason }) => [index, reason]), [[1, 'invalid-value'], [2, 'invalid-unit']])
  assert.deepEqual(await readMetric({ Namespace, MetricName: 'Beside' }, 2, from), { SampleCount: 2, Sum: 5, Minimum: 1, Maximum: 4, Average: 2.5 })

  const logs = await gateway.send('/logEvents', { logGroupName, logStreamName: 'beside', logEvents: [{ message: '' }, { message: 'good' }, { message: 'old', timestamp: 1 }] })
  assert.equal(logs.body.accepted, 1)
  assert.deepEqual(logs.body.rejected.map(({ index, reason }) => [index, reason]), [[0, 'invalid-item'], [2, 'too-old']])
  assert.deepEqual((await readLogEvents(logGroupName, 'beside', 1)).map(({ message }) => message), ['good'])

  const allBad = await gateway.send<ErrorBody>('/logEvents', { logGroupName, logStreamName: 'beside', logEvents: [{ message: '' }] })
  assert.deepEqual([allBad.status, allBad.body.error.code, allBad.body.rejected!.length], [400, 122, 1])
})

async function endRightAfterAnswer (gateway: Gateway, name: string, signal: NodeJS.Signals): Promise<void> {
  const from = Date.now()
  const [logs, metric] = await Promise.all([
    gateway.send('/logEvents', { logGroupName, logStreamName: name, logEvents: [{ message: 'accepted' }] }),
    gateway.send('/metric', { params: { Namespace, MetricData: [{ MetricName: name, Value: 1 }] } })
  ])
  await gateway.stop(signal)
  assert.deepEqual([logs.status, metric.status], [201, 201])
  await gateway.start()
  assert.equal((await readLogEvents(logGroupName, name, 1))[0]!.message, 'accepted')
  assert.ok((await readMetric({ Namespace, MetricName: name }, 1, from)).SampleCount >= 1)
}

test('what was answered 201 survives a SIGTERM that comes at once', { timeout }, async () => {
  await endRightAfterAnswer(await startGateway({ FLUSH_INTERVAL_MS: '2000' }), 'terminated', 'SIGTERM')
})

test('what was answered 201 survives a SIGKILL that comes at once', { timeout }, async () => {
  await endRightAfterAnswer(await startGateway({ FLUSH_INTERVAL_MS: '2000', LEASE_MS: '2000' }), 'killed', 'SIGKILL')
})
