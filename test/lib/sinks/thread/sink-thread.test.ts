import t, { type Test } from 'tap'
import { API_TPS } from '../../../../lib/limits.js'
import type { Pace } from '../../../../lib/pace.js'
import { SinkThread } from '../../../../lib/sinks/thread/sink-thread.js'
import { packRecords, unpackRecords } from '../../../../lib/sinks/thread/messages.js'
import type { DeliverSettings } from '../../../../threads/deliver.js'
import { accountedItems, leaseOf, logRecords, metricRecords, unlimited, watchedContext } from '../../../helpers/delivery.js'
import { useSandbox } from '../../../helpers/app.js'
import { until } from '../../../helpers/forwarder.js'
import type { Sandbox } from '../../../../sandbox/server.js'

const DESTINATION = '/app/web:page'

interface Threaded {
  thread: SinkThread
  sandbox: Sandbox
  logged: object[]
}

async function startThread (t: Test, pace: Pace = unlimited): Promise<Threaded> {
  const sandbox = await useSandbox(t)
  const logged: object[] = []
  const log = (fields: object): void => { logged.push(fields) }
  const data: DeliverSettings = { region: 'eu-west-1', requestTimeoutMs: 10_000 }
  const thread = new SinkThread({
    module: new URL('../../../../threads/deliver.js', import.meta.url),
    data,
    paces: Object.fromEntries(Object.keys(API_TPS).map(api => [api, pace])),
    retentionDaysFor: group => group === '/app/web' ? 7 : undefined,
    concurrency: 2,
    log: { info: log, warn: log, error: log }
  })
  t.teardown(() => thread.close())
  return { thread, sandbox, logged }
}

t.test('records cross as they are', async t => {
  const records = leaseOf('logs', DESTINATION, logRecords([[1, 'größe'], [2, 'b']])).records.concat(leaseOf('logs', DESTINATION, [{ line: 'corrupt', items: 3, bytes: 7 }]).records)
  t.same(unpackRecords(packRecords(records)), records)
})

t.test('delivers as its sinks do, and tells of every call', async t => {
  const { thread, sandbox } = await startThread(t)
  const now = Date.now()
  const context = watchedContext()
  const old = now - 15 * 24 * 3_600_000
  const { settlement, failure, receipts } = await thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[old, 'old'], [now, 'new']], { id: 'r', indexes: [0, 1] })), context)
  t.equal(failure, null)
  t.match(settlement, { delivered: 1, rejected: { 'too-old': 1 } })
  t.match(receipts, [{ id: 'r', delivered: 1, rejected: [{ index: 0, reason: 'too-old' }] }])
  t.same(context.rejected, [[DESTINATION, 'too-old', 1]])
  t.same(context.calls.map(({ api }) => api), ['PutLogEvents', 'CreateLogStream', 'CreateLogGroup', 'PutRetentionPolicy', 'CreateLogStream', 'PutLogEvents', 'PutLogEvents'])
  t.equal(context.extensions, context.calls.length)

  const metrics = await thread.sink('metrics').deliver(leaseOf('metrics', 'App', metricRecords([{ MetricName: 'Load', Value: 1, Timestamp: now }])), watchedContext())
  t.match(metrics, { settlement: { delivered: 1 }, failure: null })
  t.equal(sandbox.ledger().dataPoints, 1)
})

t.test('waits for the pace of the thread that forwards, and tells it of throttles', async t => {
  let acquired = 0
  let throttled = 0
  const { thread, sandbox } = await startThread(t, { acquire: async () => { acquired++ }, succeeded: () => {}, throttled: () => { throttled++ } })
  sandbox.faults.set([{ kind: 'throttle', action: 'PutMetricData', count: 1 }])
  const lease = leaseOf('metrics', 'App', metricRecords([{ MetricName: 'Load', Value: 1, Timestamp: Date.now() }]))
  t.match(await thread.sink('metrics').deliver(lease, watchedContext()), { failure: { class: 'throttle' } })
  t.same([acquired, throttled], [1, 1])
})

t.test('an abort ends a call that hangs', async t => {
  const { thread, sandbox } = await startThread(t)
  sandbox.faults.set([{ kind: 'hang' }])
  const abort = new AbortController()
  const delivering = thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext(abort.signal))
  await until(() => sandbox.calls().length > 0)
  abort.abort()
  const { settlement, failure } = await delivering
  t.equal(failure?.class, 'unavailable')
  t.equal(accountedItems(settlement), 1)
})

t.test('sends nothing when the lease has run out', async t => {
  const { thread, sandbox } = await startThread(t)
  const context = watchedContext()
  context.extend = async () => false
  const { settlement, failure } = await thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), context)
  t.match(failure, { class: 'unavailable', message: /lease ran out/ })
  t.equal(accountedItems(settlement), 1)
  t.equal(sandbox.calls().length, 0)
})

t.test('what a thread had under way that fails is to be tried again, and another thread takes its place', async t => {
  const { thread, sandbox, logged } = await startThread(t)
  const broken = leaseOf('metering', 'no sink of this kind', logRecords([[1, 'a'], [2, 'b']]))
  sandbox.faults.set([{ kind: 'hang', count: 1 }])
  const hanging = thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext())
  await until(() => sandbox.calls().length > 0)
  for (const { settlement, failure } of await Promise.all([thread.sink('metering').deliver(broken, watchedContext()), hanging])) {
    t.match(failure, { class: 'unavailable' })
    t.equal(settlement.delivered, 0)
    t.ok(accountedItems(settlement) > 0)
  }
  t.equal(logged.length, 1)
  sandbox.faults.clear()
  t.match(await thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext()), { failure: null, settlement: { delivered: 1 } })
})

t.test('closing ends what is under way; it may be closed twice', async t => {
  const { thread, sandbox } = await startThread(t)
  sandbox.faults.set([{ kind: 'hang' }])
  const delivering = thread.sink('logs').deliver(leaseOf('logs', DESTINATION, logRecords([[Date.now(), 'm']])), watchedContext())
  await until(() => sandbox.calls().length > 0)
  await Promise.all([thread.close(), thread.close()])
  t.match(await delivering, { failure: { class: 'unavailable' } })
})
