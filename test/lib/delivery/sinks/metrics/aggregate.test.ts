import assert from 'node:assert/strict'
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import fc from 'fast-check'
import t from 'tap'
import { PUT_METRIC_DATA as LIMIT } from '../../../../../schemas/aws-limits.js'
import type { StoredDatum } from '../../../../../lib/items/item.js'
import { aggregate } from '../../../../../lib/delivery/sinks/metrics/aggregate.js'
import { awsClientOptions } from '../../../../../lib/delivery/aws-client-options.js'
import { cutMetricBatches } from '../../../../../lib/delivery/sinks/metrics/metric-batches.js'
import { listen } from '../../../../helpers/http-answer.js'

const MINUTE = 60_000
const NOON = Date.UTC(2026, 10, 22, 12)

function whole (datum: Partial<StoredDatum>): StoredDatum {
  return { MetricName: 'Load', Timestamp: NOON, ...datum }
}

/** Each with its index for a source. */
function indexed (datums: StoredDatum[]): Array<[StoredDatum, number]> {
  return datums.map((datum, index) => [datum, index])
}

function merge (...datums: Array<Partial<StoredDatum>>): StoredDatum[] {
  return aggregate(indexed(datums.map(whole))).map(({ datum }) => datum)
}

t.test('values of one series and minute become one datum at the start of that minute', async t => {
  t.same(merge({ Value: 3, Timestamp: NOON + 1 }, { Value: 5, Timestamp: NOON + 59_999 }, {
    Value: 3, Timestamp: NOON + 30_000
  }), [
    { MetricName: 'Load', Timestamp: NOON, Values: [3, 5], Counts: [2, 1] }
  ])
})

t.test('what differs in anything CloudWatch keeps apart is kept apart', async t => {
  const apart: Array<Partial<StoredDatum>> = [
    {},
    { MetricName: 'Other' },
    { Timestamp: NOON + MINUTE },
    { Unit: 'Seconds' },
    { StorageResolution: 1 },
    { StorageResolution: 1, Timestamp: NOON + 1_000 },
    { Dimensions: [{ Name: 'a', Value: 'b' }] },
    { Dimensions: [{ Name: 'b', Value: 'a' }] },
    { Dimensions: [{ Name: 'a', Value: 'b' }, { Name: 'b', Value: 'a' }] }
  ]
  t.equal(merge(...apart.map(datum => ({ ...datum, Value: 1 }))).length, apart.length)
})

t.test('what CloudWatch takes for the same is merged', async t => {
  t.equal(merge(
    { Value: 1, Dimensions: [{ Name: 'a', Value: 'x' }, { Name: 'b', Value: 'y' }] },
    { Value: 2, Dimensions: [{ Name: 'b', Value: 'y' }, { Name: 'a', Value: 'x' }] }
  ).length, 1, 'dimensions are a set')
  t.equal(
    merge({ Value: 1 }, { Value: 2, Unit: 'None', StorageResolution: 60, Dimensions: [] }).length,
    1,
    'a default may be written or not'
  )
})

t.test('a datum takes the shortest form', async t => {
  t.same(merge({ Value: 7 }), [{ MetricName: 'Load', Timestamp: NOON, Value: 7 }])
  t.same(merge({ Value: 7 }, { Value: 8 }), [{ MetricName: 'Load', Timestamp: NOON, Values: [7, 8] }])
  t.same(merge({ Values: [7], Counts: [0.5] }), [{ MetricName: 'Load', Timestamp: NOON, Values: [7], Counts: [0.5] }])
})

t.test('a datum holds 150 distinct values, and any number of repetitions', async t => {
  const points = Array.from({ length: 151 * 3 }, (_, i) => ({ Value: i % 151 }))
  const merged = merge(...points)
  t.same(
    merged.map(({ Values, Value }) => Values?.length ?? [Value]),
    [150, [150]].map((n, i) => i === 0 ? n : 1),
    'the repetitions go where the value is'
  )
  t.equal(merged.flatMap(({ Counts }) => Counts ?? []).reduce((a, b) => a + b, 0), 453)
})

t.test('statistic sets merge with their like only', async t => {
  const statistics = (SampleCount: number, Sum: number, Minimum: number, Maximum: number): Partial<StoredDatum> => ({
    StatisticValues: { SampleCount, Sum, Minimum, Maximum }
  })
  t.same(merge(statistics(2, 5, 1, 4), { Value: 9 }, statistics(1, 8, 8, 8)), [
    { MetricName: 'Load', Timestamp: NOON, Value: 9 },
    { MetricName: 'Load', Timestamp: NOON, StatisticValues: { SampleCount: 3, Sum: 13, Minimum: 1, Maximum: 8 } }
  ])
})

t.test('statistic sets whose sum CloudWatch would refuse are not merged', async t => {
  const sets = (...sums: number[]) =>
    merge(...sums.map(Sum => ({ StatisticValues: { SampleCount: 1, Sum, Minimum: 0, Maximum: 1 } })))
  t.equal(sets(LIMIT.MAX_ABSOLUTE_VALUE, LIMIT.MAX_ABSOLUTE_VALUE).length, 2, 'too large')
  t.equal(
    sets(LIMIT.MIN_ABSOLUTE_VALUE, -LIMIT.MIN_ABSOLUTE_VALUE * (1 + Number.EPSILON)).length, 2, 'too near to zero'
  )
  t.equal(sets(LIMIT.MIN_ABSOLUTE_VALUE, -LIMIT.MIN_ABSOLUTE_VALUE).length, 1, 'zero')
})

t.test('counts that cannot be added stay apart', async t => {
  const merged = merge({ Values: [1], Counts: [Number.MAX_VALUE] }, { Values: [1], Counts: [Number.MAX_VALUE] })
  t.same(merged.map(({ Counts }) => Counts), [[Number.MAX_VALUE], [Number.MAX_VALUE]])
})

/** Few of everything, so that points meet. */
const datumArbitrary: fc.Arbitrary<StoredDatum> = fc.record({
  MetricName: fc.constantFrom('a', 'b'),
  Timestamp: fc.integer({ min: NOON, max: NOON + 3 * MINUTE }),
  Dimensions: fc.option(
    fc.uniqueArray(fc.record({ Name: fc.constantFrom('d', 'e', 'é'), Value: fc.constantFrom('1', '2') }), {
      selector: ({ Name }) => Name
    }),
    { nil: undefined }
  ),
  Unit: fc.constantFrom(undefined, 'None' as const, 'Bytes' as const),
  StorageResolution: fc.constantFrom(undefined, 1 as const, 60 as const)
}).chain(head => fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -200, max: 200 }).map(Value => ({ Value })) },
  {
    weight: 2,
    arbitrary: fc.array(fc.tuple(fc.integer({ min: -200, max: 200 }), fc.constantFrom(0, 0.5, 1, 3)), {
      minLength: 1, maxLength: 150
    })
      .map(pairs => ({ Values: pairs.map(([value]) => value), Counts: pairs.map(([, count]) => count) }))
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.integer({ min: -200, max: 200 }), {
      minLength: 1, maxLength: 150
    }).map(Values => ({ Values }))
  },
  {
    weight: 1,
    arbitrary: fc.record({
      SampleCount: fc.integer({ min: 1, max: 9 }),
      Sum: fc.integer({ min: -99, max: 99 }),
      Minimum: fc.integer({ min: -99, max: 0 }),
      Maximum: fc.integer({ min: 0, max: 99 })
    })
      .map(StatisticValues => ({ StatisticValues }))
  }
).map(body => JSON.parse(JSON.stringify({ ...head, ...body })) as StoredDatum))

interface Distribution {
  /** Value to count: whatever percentile is asked for follows from it. */
  values: Record<string, number>
  statistics: { SampleCount: number, Sum: number, Minimum: number, Maximum: number }
}

/** What CloudWatch knows in the end, by series and bucket; written without any of the code under test. */
function distributions (datums: StoredDatum[]): Record<string, Distribution> {
  const all: Record<string, Distribution> = {}
  for (const datum of datums) {
    const period = (datum.StorageResolution ?? 60) * 1_000
    const dimensions = (datum.Dimensions ?? []).map(({ Name, Value }) => `${Name}=${Value}`).sort().join()
    const key = [
      datum.MetricName,
      dimensions,
      datum.Unit ?? 'None',
      period,
      datum.Timestamp - datum.Timestamp % period
    ].join('|')
    const found = all[key] ??= {
      values: {}, statistics: { SampleCount: 0, Sum: 0, Minimum: Infinity, Maximum: -Infinity }
    }
    const values = datum.Values ?? (datum.Value === undefined ? [] : [datum.Value])
    values.forEach((value, i) => { found.values[value] = (found.values[value] ?? 0) + (datum.Counts?.[i] ?? 1) })
    if (datum.StatisticValues === undefined) continue
    found.statistics = {
      SampleCount: found.statistics.SampleCount + datum.StatisticValues.SampleCount,
      Sum: found.statistics.Sum + datum.StatisticValues.Sum,
      Minimum: Math.min(found.statistics.Minimum, datum.StatisticValues.Minimum),
      Maximum: Math.max(found.statistics.Maximum, datum.StatisticValues.Maximum)
    }
  }
  return all
}

t.test('nothing is lost: every series and bucket keeps its counts, sums, extremes and percentiles', async () => {
  fc.assert(fc.property(fc.array(datumArbitrary, { maxLength: 120 }), datums => {
    const merged = aggregate(indexed(datums))
    assert.deepEqual(distributions(merged.map(({ datum }) => datum)), distributions(datums))
    assert.deepEqual(
      merged.flatMap(({ sources }) => sources).sort((a, b) => a - b), [...datums.keys()], 'each point is in one datum'
    )
    for (const { datum } of merged) {
      assert.ok((datum.Values?.length ?? 0) <= LIMIT.MAX_VALUES)
      assert.equal(datum.Timestamp % ((datum.StorageResolution ?? 60) * 1_000), 0)
    }
  }), { numRuns: 150 })
})

t.test('sums of fractions stay what they were, up to the last digits', async () => {
  fc.assert(fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), {
    minLength: 1, maxLength: 500
  }), values => {
    const sum = merge(...values.map(Value => ({ Value }))).reduce((total, { Value, Values, Counts }) =>
      total + (Value ?? Values!.reduce((part, value, i) => part + value * (Counts?.[i] ?? 1), 0)), 0)
    return Math.abs(sum - values.reduce((a, b) => a + b, 0)) < 1e-4
  }), { numRuns: 100 })
})

t.test('bytes are counted as the SDK sends them', async t => {
  const bodies: number[] = []
  const endpoint = await listen(t, (request, response) => {
    bodies.push(Number(request.headers['content-length']))
    response.end('{}')
  })
  const client = new CloudWatchClient({
    credentials: { accessKeyId: 'id', secretAccessKey: 's' },
    endpoint,
    disableRequestCompression: true,
    ...awsClientOptions({ region: 'eu-west-1', requestTimeoutMs: 30_000 })
  })
  t.teardown(() => client.destroy())
  const strange: Array<Partial<StoredDatum>> = [
    { Values: [1e21, 5e-324, -0, 2 ** 360, 0.1 + 0.2], Counts: [0.5, 0, 1, 1e-7, 3] },
    { MetricName: 'é"\\\u2028', Value: -1.5, Unit: 'Bytes/Second', StorageResolution: 1, Timestamp: NOON + 1_234 },
    {
      StatisticValues: { SampleCount: 0.1, Sum: -3, Minimum: -1e-9, Maximum: 1e300 },
      Dimensions: [{ Name: 'd', Value: '/a"b' }]
    }
  ]
  const samples = [...fc.sample(fc.array(datumArbitrary, { minLength: 1, maxLength: 20 }), 20), strange.map(whole)]
  for (const datums of samples) {
    const [batch] = cutMetricBatches('App/"ü"', aggregate(indexed(datums)))
    await client.send(new PutMetricDataCommand({
      Namespace: 'App/"ü"',
      MetricData: batch!.datums.map(({ datum }) => ({ ...datum, Timestamp: new Date(datum.Timestamp) }))
    }))
    t.equal(batch!.bytes, bodies.at(-1))
  }
})
