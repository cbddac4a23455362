import t from 'tap'
import type { StoredDatum } from '../../../../../lib/items/item.js'
import { createMetricsSink } from '../../../../../lib/delivery/sinks/metrics/metrics-sink.js'
import {
  accountedItems, itemsOf, leaseOf, metricRecords, startCloud, unlimited, watchedContext
} from '../../../../helpers/delivery.js'

/** A whole minute ago, so that all points of a test are in one bucket. */
const NOW = Math.floor(Date.now() / 60_000) * 60_000 - 60_000

const point = (MetricName: string, Value: number, more: Partial<StoredDatum> = {}): StoredDatum => ({
  MetricName,
  Value,
  Timestamp: NOW,
  ...more
})

t.test('points of all records merge and go out in one call', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  const records = Array.from({ length: 10 }, (_, i) => metricRecords([point('Load', i % 3), point('Load', 7)])).flat()
  const context = watchedContext()
  const { settlement, failure } = await sink.deliver(leaseOf('metrics', 'App', records), context)
  t.equal(failure, null)
  t.same(settlement, { delivered: 20, rejected: {}, deadLetters: [], remainder: [] })
  t.match(sandbox.ledger(), { calls: { PutMetricData: 1 }, datums: 1, dataPoints: 20 })
  t.match(context.calls, [{ api: 'PutMetricData', destination: 'App', items: 20, failure: null }])
})

t.test('the sandbox, which keeps the limits of AWS, takes calls that are full', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  const byCount = Array.from({ length: 2_500 }, (_, i) => point(`m${i}`, i))
  const byBytes = Array.from(
    { length: 1_200 },
    (_, i) => ({
      MetricName: `big${i}`, Timestamp: NOW, Values: Array.from({ length: 150 }, (_, j) => j + 1 / (i + 2))
    })
  )
  for (const datums of [byCount, byBytes]) {
    const { settlement, failure } = await sink.deliver(
      leaseOf('metrics', 'App', metricRecords(datums)), watchedContext()
    )
    t.equal(failure, null)
    t.equal(settlement.delivered, datums.length)
  }
  t.equal(sandbox.ledger().errors.PutMetricData, undefined)
  t.ok(sandbox.ledger().fill.PutMetricData!.max > 0.9)
})

t.test('a poisoned point is found inside a merged datum and kept, every other is delivered exactly once', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  // Refused by CloudWatch, and past any validation of ours here: its sum with the others is finite, its value is not
  // allowed.
  const poison = point('m3', 2 ** 361)
  const good = Array.from({ length: 60 }, (_, i) => point(`m${i % 10}`, i))
  const datums = [...good.slice(0, 33), poison, ...good.slice(33)]
  const { settlement, failure, receipts } = await sink.deliver(
    leaseOf('metrics', 'App', metricRecords(datums, { id: 'r', indexes: datums.map((_, i) => i) })), watchedContext()
  )
  t.equal(failure, null)
  t.equal(settlement.delivered, 60)
  t.match(settlement.deadLetters, [{ reason: 'refused', items: 1, message: /InvalidParameterValue/ }])
  t.same(itemsOf(settlement.deadLetters), [poison])
  t.match(sandbox.ledger(), { dataPoints: 60 }, 'no half is sent twice')
  t.match(receipts, [{ id: 'r', delivered: 60, rejected: [{ index: 33, reason: 'refused' }] }])
})

t.test('after a failure the points of the calls that were not sent are the remainder, and are sent once', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  const datums = Array.from({ length: 2_500 }, (_, i) => point(`m${i}`, i))
  // Twice the same series, far apart: points of one call come from several records.
  datums.push(...Array.from({ length: 500 }, (_, i) => point(`m${i}`, -1)))
  sandbox.faults.set([{ kind: 'throttle', metricName: 'm1500' }])
  const first = await sink.deliver(
    leaseOf('metrics', 'App', metricRecords(datums, { id: 'r', indexes: datums.map((_, i) => i) })), watchedContext()
  )
  t.equal(first.failure?.class, 'throttle')
  t.equal(first.settlement.delivered, 1_500)
  t.equal(accountedItems(first.settlement), 3_000)
  sandbox.faults.clear()
  const second = await sink.deliver(leaseOf('metrics', 'App', first.settlement.remainder!), watchedContext())
  t.equal(second.failure, null)
  t.equal(second.settlement.delivered, 1_500)
  t.match(sandbox.ledger(), { dataPoints: 3_000, datums: 2_500 })
  t.match([first.receipts, second.receipts], [[{ id: 'r', delivered: 1_500 }], [{ id: 'r', delivered: 1_500 }]])
})

t.test('when nothing is sent, the records are given back as they were', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  for (const kind of ['throttle', 'error', 'reset', 'refuse', 'garbage'] as const) {
    sandbox.faults.set([{ kind }])
    const records = metricRecords([point('m', 1), point('m', 2)])
    const { settlement, failure } = await sink.deliver(leaseOf('metrics', 'App', records), watchedContext())
    t.equal(
      failure?.class,
      {
        throttle: 'throttle',
        error: 'unavailable',
        reset: 'unavailable',
        refuse: 'denied',
        garbage: 'unavailable'
      }[kind]
    )
    t.same(settlement, { delivered: 0, rejected: {}, deadLetters: [], remainder: records })
  }
})

t.test('a record that cannot be read is kept, and the others go on', async t => {
  const { cloudwatch } = await startCloud(t)
  const sink = createMetricsSink({ cloudwatch, rateLimiter: unlimited })
  const foreign = { line: '{"v":1,"e":[]}', items: 2, bytes: 50 }
  const { settlement } = await sink.deliver(
    leaseOf('metrics', 'App', [foreign, ...metricRecords([point('m', 1)])]), watchedContext()
  )
  t.match(settlement, { delivered: 1, remainder: [], deadLetters: [{ ...foreign, reason: 'corrupt' }] })
})
