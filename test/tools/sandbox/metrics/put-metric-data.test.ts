import { PutMetricDataCommand, type MetricDatum, type PutMetricDataCommandInput } from '@aws-sdk/client-cloudwatch'
import t from 'tap'
import { PUT_METRIC_DATA } from '../../../../schemas/aws-limits.js'
import { openSandbox } from '../../../helpers/sandbox.js'

const NOW = Date.UTC(2026, 5, 15, 12, 0, 30)
const HOUR = 3_600_000

const sandbox = await openSandbox(t, { now: () => NOW })

async function put (input: Partial<PutMetricDataCommandInput>): Promise<void> {
  await sandbox.cloudwatch.send(new PutMetricDataCommand({
    Namespace: 'app', MetricData: [{ MetricName: 'm', Value: 1 }], ...input
  }))
}

function datum (fields: Partial<MetricDatum>): Partial<PutMetricDataCommandInput> {
  return { MetricData: [{ MetricName: 'm', Value: 1, ...fields }] }
}

function withoutValue (fields: Partial<MetricDatum>): Partial<PutMetricDataCommandInput> {
  return { MetricData: [{ MetricName: 'm', ...fields }] }
}

function dimensions (count: number): MetricDatum['Dimensions'] {
  return Array.from({ length: count }, (_, i) => ({ Name: `d${i}`, Value: 'v' }))
}

function dimension (Name: string, Value: string): Partial<PutMetricDataCommandInput> {
  return datum({ Dimensions: [{ Name, Value }] })
}

function datums (count: number): Partial<PutMetricDataCommandInput> {
  return { MetricData: Array.from({ length: count }, (_, i) => ({ MetricName: `m${i}`, Value: i })) }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const INVALID = 'InvalidParameterValueException'
const MISSING = 'MissingRequiredParameterException'
const COMBINATION = 'InvalidParameterCombinationException'

const refused: [string, Partial<PutMetricDataCommandInput>, string, RegExp][] = [
  ['1001 datums', datums(1_001), INVALID, /MetricData must not have a size greater than 1000/],
  ['no datum', { MetricData: [] }, MISSING, /MetricData is required/],
  ['no namespace', { Namespace: undefined }, MISSING, /Namespace is required/],
  ['an empty namespace', { Namespace: '' }, INVALID, /Namespace/],
  ['a namespace of 256 characters', { Namespace: 'n'.repeat(256) }, INVALID, /Namespace/],
  ['a namespace with a colon in front', { Namespace: ':app' }, INVALID, /Namespace/],
  ['a namespace that is not ASCII', { Namespace: 'äpp' }, INVALID, /Namespace/],
  ['a namespace of AWS', { Namespace: 'AWS/EC2' }, INVALID, /AWS\//],
  ['no metric name', datum({ MetricName: undefined }), MISSING, /MetricData\.member\.1\.MetricName/],
  ['a metric name of 256 characters', datum({ MetricName: 'm'.repeat(256) }), INVALID, /MetricName/],
  ['31 dimensions', datum({ Dimensions: dimensions(31) }), INVALID, /Dimensions must not have a size greater than 30/],
  ['an empty dimension value', dimension('d', ''), INVALID, /Dimensions\.member\.1\.Value/],
  ['a blank dimension value', dimension('d', '  '), INVALID, /Dimensions\.member\.1\.Value/],
  ['a dimension value of 1025 characters', dimension('d', 'v'.repeat(1_025)), INVALID, /Value/],
  ['a dimension value that is not ASCII', dimension('d', 'ü'), INVALID, /Value/],
  ['a dimension name with a colon in front', dimension(':d', 'v'), INVALID, /Name/],
  ['a dimension name of 256 characters', dimension('d'.repeat(256), 'v'), INVALID, /Name/],
  ['a dimension name with a control character', dimension('d\n', 'v'), INVALID, /Name/],
  ['151 values', withoutValue({ Values: numbers(151) }), INVALID, /Values must not have a size greater than 150/],
  ['fewer counts than values', withoutValue({ Values: [1, 2], Counts: [1] }), INVALID, /must be of the same size/],
  ['counts without values', datum({ Counts: [1] }), COMBINATION, /Counts/],
  ['a negative count', withoutValue({ Values: [1], Counts: [-1] }), INVALID, /Counts\.member\.1/],
  ['no value at all', withoutValue({}), MISSING, /At least one of the parameters/],
  ['empty values', withoutValue({ Values: [] }), MISSING, /Values/],
  ['Value and Values', datum({ Values: [1] }), COMBINATION, /mutually exclusive/],
  [
    'Value and StatisticValues',
    datum({ StatisticValues: { SampleCount: 1, Sum: 1, Minimum: 1, Maximum: 1 } }),
    COMBINATION,
    /mutually exclusive/
  ],
  [
    'a statistic set without Sum',
    withoutValue({ StatisticValues: { SampleCount: 1, Minimum: 1, Maximum: 1 } as MetricDatum['StatisticValues'] }),
    MISSING,
    /Sum/
  ],
  [
    'a statistic set of no samples',
    withoutValue({ StatisticValues: { SampleCount: 0, Sum: 1, Minimum: 1, Maximum: 1 } }),
    INVALID,
    /SampleCount/
  ],
  [
    'a minimum above the maximum',
    withoutValue({ StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 2, Maximum: 1 } }),
    INVALID,
    /Maximum/
  ],
  ['NaN', datum({ Value: NaN }), INVALID, /The value NaN/],
  [
    'Infinity',
    withoutValue({ Values: [1, Infinity] }),
    INVALID,
    /The value Infinity for parameter MetricData\.member\.1\.Values\.member\.2/
  ],
  ['a value above 2^360', datum({ Value: 2 ** 361 }), INVALID, /MetricData\.member\.1\.Value/],
  ['a value below -2^360', datum({ Value: -(2 ** 361) }), INVALID, /MetricData\.member\.1\.Value/],
  [
    'a time more than two weeks ago',
    datum({ Timestamp: new Date(NOW - PUT_METRIC_DATA.MAX_AGE_MS - 1) }),
    INVALID,
    /past two weeks/
  ],
  [
    'a time more than two hours ahead',
    datum({ Timestamp: new Date(NOW + PUT_METRIC_DATA.MAX_FUTURE_MS + 1) }),
    INVALID,
    /two hours in the future/
  ],
  ['an invalid date', datum({ Timestamp: new Date(NaN) }), 'SerializationException', /not JSON/],
  ['a text for a value', datum({ Value: '1' as unknown as number }), 'SerializationException', /Value/],
  ['an unknown unit', datum({ Unit: 'Furlongs' as MetricDatum['Unit'] }), INVALID, /Unit must be a value in the set/],
  ['a storage resolution of 10', datum({ StorageResolution: 10 }), INVALID, /StorageResolution/],
  ['data of an entity', { EntityMetricData: [] }, INVALID, /EntityMetricData/]
]

t.test('PutMetricData refuses', async t => {
  for (const [what, input, name, message] of refused) {
    await t.rejects(put(input), { name, message, $metadata: { httpStatusCode: 400 } }, what)
  }
  t.equal(sandbox.series().length, 0, 'nothing of a refused call is stored')
})

const taken: [string, Partial<PutMetricDataCommandInput>][] = [
  ['1000 datums', datums(1_000)],
  ['30 dimensions', datum({ Dimensions: dimensions(30) })],
  ['150 values', withoutValue({ Values: numbers(150), Counts: numbers(150) })],
  ['2^360', datum({ Value: 2 ** 360 })],
  ['-2^360', datum({ Value: -(2 ** 360) })],
  ['a time two weeks ago', datum({ Timestamp: new Date(NOW - PUT_METRIC_DATA.MAX_AGE_MS) })],
  ['a time two hours ahead', datum({ Timestamp: new Date(NOW + PUT_METRIC_DATA.MAX_FUTURE_MS) })],
  [
    'the longest names',
    {
      Namespace: 'n'.repeat(255),
      MetricData: [{
        MetricName: 'm'.repeat(255), Value: 1, Dimensions: [{ Name: 'd'.repeat(255), Value: 'v'.repeat(1_024) }]
      }]
    }
  ],
  ['a metric name that is not ASCII', datum({ MetricName: 'Größe' })],
  ['a statistic set', withoutValue({ StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 } })]
]

t.test('PutMetricData takes', async t => {
  for (const [what, input] of taken) await t.resolves(put(input), what)
})

t.test('one invalid datum refuses the whole call', async t => {
  await t.rejects(
    put({ Namespace: 'whole', MetricData: [{ MetricName: 'good', Value: 1 }, { MetricName: 'bad', Value: NaN }] }),
    { name: INVALID, message: /member\.2/ }
  )
  t.same(sandbox.series('whole'), [])
})

t.test('a body above 1 MB is refused with 413, compressed or not, and one below is taken', async t => {
  const wide = (count: number): Partial<PutMetricDataCommandInput> => ({
    Namespace: 'wide',
    MetricData: Array.from(
      { length: count },
      (_, i) => ({ MetricName: `m${i}`, Value: 1, Dimensions: [{ Name: 'd', Value: 'v'.repeat(1_024) }] })
    )
  })
  await t.rejects(put(wide(980)), { name: 'RequestEntityTooLarge', $metadata: { httpStatusCode: 413 } })
  await t.resolves(put(wide(900)))
  const { bytes, wireBytes } = sandbox.ledger()
  t.ok(bytes.PutMetricData! > 900_000)
  t.ok(wireBytes.PutMetricData! < bytes.PutMetricData!, 'the SDK compressed it')
})

t.test('points are kept in the second or minute in which CloudWatch stores them', async t => {
  const minute = NOW - 30_000
  await put({
    Namespace: 'stored',
    MetricData: [
      {
        MetricName: 'm',
        Value: 5,
        Timestamp: new Date(minute + 1_999),
        Dimensions: [{ Name: 'b', Value: '2' }, { Name: 'a', Value: '1' }]
      },
      {
        MetricName: 'm',
        Values: [5, 1],
        Counts: [2, 3],
        Timestamp: new Date(minute + 59_999),
        Dimensions: [{ Name: 'a', Value: '1' }, { Name: 'b', Value: '2' }]
      },
      { MetricName: 'high', Value: 1, StorageResolution: 1, Unit: 'Bytes', Timestamp: new Date(minute + 1_999) },
      {
        MetricName: 'high',
        StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 },
        StorageResolution: 1,
        Timestamp: new Date(minute + HOUR)
      }
    ]
  })
  t.same(sandbox.series('stored'), [
    {
      namespace: 'stored',
      metricName: 'm',
      dimensions: [{ Name: 'a', Value: '1' }, { Name: 'b', Value: '2' }],
      buckets: [{
        timestamp: minute,
        resolution: 60,
        unit: 'None',
        values: [1, 5],
        counts: [3, 3],
        statisticValues: null
      }]
    },
    {
      namespace: 'stored',
      metricName: 'high',
      dimensions: [],
      buckets: [
        { timestamp: minute + 1_000, resolution: 1, unit: 'Bytes', values: [1], counts: [1], statisticValues: null },
        {
          timestamp: minute + HOUR,
          resolution: 1,
          unit: 'None',
          values: [],
          counts: [],
          statisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 }
        }
      ]
    }
  ])
})
