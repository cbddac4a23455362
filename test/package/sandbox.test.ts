import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import {
  CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand
} from '@aws-sdk/client-cloudwatch-logs'
import t, { type Test } from 'tap'
import { startSandbox, type Sandbox } from '../../package/sandbox.js'

function clientsOf (t: Test, { environment }: Sandbox) {
  const { AWS_ENDPOINT_URL: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = environment
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY }
  const options = { endpoint, region, credentials, maxAttempts: 1 }
  const clients = { cloudwatch: new CloudWatchClient(options), logs: new CloudWatchLogsClient(options) }
  t.teardown(() => { for (const client of Object.values(clients)) client.destroy() })
  return clients
}

t.test('stores what the SDK sends, fails when told, forgets, and stops', async t => {
  const sandbox = await startSandbox()
  t.teardown(() => sandbox.stop())
  const { cloudwatch, logs } = clientsOf(t, sandbox)
  const names = { logGroupName: '/own', logStreamName: 's' }
  const timestamp = Date.now()
  await logs.send(new CreateLogGroupCommand(names))
  await logs.send(new CreateLogStreamCommand(names))
  await logs.send(new PutLogEventsCommand({ ...names, logEvents: [{ timestamp, message: 'hello' }] }))
  const put = () => cloudwatch.send(new PutMetricDataCommand({
    Namespace: 'Own', MetricData: [{ MetricName: 'Clicks', Value: 2, Unit: 'Count' }]
  }))
  await put()
  t.strictSame(sandbox.logEvents(), [{ ...names, timestamp, message: 'hello' }])
  t.strictSame(sandbox.logEvents('/other'), [])
  t.match(sandbox.metrics('Own'), [{ metricName: 'Clicks', buckets: [{ unit: 'Count', values: [2], counts: [1] }] }])
  t.match(sandbox.calls().at(-1), { action: 'PutMetricData', destination: 'Own', items: 1, status: 200 })

  sandbox.setFaults([{ kind: 'throttle', action: 'PutMetricData', count: 1 }])
  await t.rejects(put(), { message: 'Rate exceeded' })
  await put()
  t.throws(() => sandbox.setFaults([{ kind: 'explode' } as never]), { message: /rules\[0\]\.kind must be one of/ })

  sandbox.reset()
  t.strictSame([sandbox.logEvents(), sandbox.metrics(), sandbox.calls()], [[], [], []])
  await sandbox.stop()
  await sandbox.stop()
  await t.rejects(put(), 'nobody answers any more')
})

t.test('a port that is taken is said', async t => {
  const sandbox = await startSandbox()
  t.teardown(() => sandbox.stop())
  await t.rejects(startSandbox({ port: sandbox.port }), { code: 'EADDRINUSE' })
})
