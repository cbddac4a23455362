import assert from 'node:assert/strict'
import test from 'node:test'
import { readMetric, readMinutes } from './cloudwatch.js'
import { deviates, namespaceOf, startGateway, TEST_TIMEOUT_MS } from './harness.js'

const Namespace = namespaceOf('metrics')
const timeout = TEST_TIMEOUT_MS
const gateway = await startGateway()

async function send (...MetricData: object[]): Promise<void> {
  const { status, body } = await gateway.send('/metric', { params: { Namespace, MetricData } })
  assert.deepEqual([status, body.accepted, body.rejected], [201, MetricData.length, []])
}

const page = (Value: string) => [{ Name: 'Page', Value }]

test('data points of a metric are kept apart by their dimensions', { timeout }, async () => {
  const from = Date.now()
  await send(
    { MetricName: 'PageLoad', Value: 100, Unit: 'Milliseconds', Dimensions: page('/') },
    { MetricName: 'PageLoad', Value: 300, Unit: 'Milliseconds', Dimensions: page('/') },
    { MetricName: 'PageLoad', Value: 700, Unit: 'Milliseconds', Dimensions: page('/checkout') }
  )
  const read = (samples: number, path: string) => readMetric({ Namespace, MetricName: 'PageLoad', Dimensions: page(path) }, samples, from)
  assert.deepEqual(await read(2, '/'), { SampleCount: 2, Sum: 400, Minimum: 100, Maximum: 300, Average: 200 })
  assert.deepEqual(await read(1, '/checkout'), { SampleCount: 1, Sum: 700, Minimum: 700, Maximum: 700, Average: 700 })
})

test('a metric without dimensions is a metric of its own', { timeout, ...deviates('moto', 'moto_server reads it as the sum over all dimensions') }, async () => {
  const from = Date.now()
  await send({ MetricName: 'Bare', Value: 1, Dimensions: page('/') }, { MetricName: 'Bare', Value: 5 })
  assert.deepEqual(await readMetric({ Namespace, MetricName: 'Bare' }, 1, from), { SampleCount: 1, Sum: 5, Minimum: 5, Maximum: 5, Average: 5 })
})

test('data points of many requests merge without loss', { timeout }, async () => {
  const from = Date.now()
  const values = Array.from({ length: 60 }, (_, index) => index + 1)
  await Promise.all(values.map(Value => send({ MetricName: 'Merged', Value, Unit: 'Count' })))
  assert.deepEqual(await readMetric({ Namespace, MetricName: 'Merged' }, 60, from), { SampleCount: 60, Sum: 1830, Minimum: 1, Maximum: 60, Average: 30.5 })
})

test('Values with Counts weigh as much as their counts', { timeout }, async () => {
  const from = Date.now()
  await send({ MetricName: 'Weighed', Values: [10, 20, 40], Counts: [5, 3, 2], Unit: 'Bytes' }, { MetricName: 'Weighed', Values: [80], Unit: 'Bytes' })
  assert.deepEqual(await readMetric({ Namespace, MetricName: 'Weighed' }, 11, from), { SampleCount: 11, Sum: 270, Minimum: 10, Maximum: 80, Average: 270 / 11 })
})

test('StatisticValues merge with single values', { timeout }, async () => {
  const from = Date.now()
  await send(
    { MetricName: 'Summarized', StatisticValues: { SampleCount: 4, Sum: 100, Minimum: 7, Maximum: 60 }, Unit: 'Percent' },
    { MetricName: 'Summarized', StatisticValues: { SampleCount: 1, Sum: 99, Minimum: 99, Maximum: 99 }, Unit: 'Percent' },
    { MetricName: 'Summarized', Value: 1, Unit: 'Percent' }
  )
  assert.deepEqual(await readMetric({ Namespace, MetricName: 'Summarized' }, 6, from), { SampleCount: 6, Sum: 200, Minimum: 1, Maximum: 99, Average: 200 / 6 })
})

test('percentiles stay exact', { timeout, ...deviates('moto', 'moto_server answers percentiles with 500') }, async () => {
  // One minute that is over, so that no boundary cuts the distribution in two.
  const from = Date.now() - 120_000
  await send(...Array.from({ length: 1_000 }, (_, index) => ({ MetricName: 'Distributed', Value: index + 1, Timestamp: from })))
  await readMetric({ Namespace, MetricName: 'Distributed' }, 1_000, from)
  for (const [stat, expected] of [['p50', 500], ['p99', 990]] as const) {
    const [minute] = await readMinutes({ Namespace, MetricName: 'Distributed' }, stat, from)
    assert.ok(Math.abs(minute!.value - expected) <= expected * 0.01, `${stat} is ${minute!.value}`)
  }
})

test('a call larger than 10 kB reaches CloudWatch, compressed', { timeout, ...deviates('moto', 'moto_server cannot read compressed calls; compression is switched off') }, async () => {
  const from = Date.now()
  const names = Array.from({ length: 10 }, (_, index) => `Large${index}`)
  const Values = Array.from({ length: 150 }, (_, index) => index * 1.000_001)
  await send(...names.map(MetricName => ({ MetricName, Values })))
  for (const MetricName of names) assert.equal((await readMetric({ Namespace, MetricName }, 150, from)).SampleCount, 150)
})
