import {
  GetMetricDataCommand, GetMetricStatisticsCommand, ListMetricsCommand, PutMetricDataCommand,
  type GetMetricDataCommandInput, type GetMetricStatisticsCommandInput, type MetricDatum
} from '@aws-sdk/client-cloudwatch'
import t from 'tap'
import { openSandbox } from '../../../helpers/sandbox.js'

const NOON = Date.UTC(2026, 5, 15, 12)
const MINUTE = 60_000

const sandbox = await openSandbox(t, { now: () => NOON + 10 * MINUTE })
const at = (seconds: number): Date => new Date(NOON + seconds * 1_000)

async function put (Namespace: string, MetricData: MetricDatum[]): Promise<void> {
  await sandbox.cloudwatch.send(new PutMetricDataCommand({ Namespace, MetricData }))
}

async function get (
  Namespace: string,
  MetricName: string,
  Stat: string,
  Period = 60,
  range: { StartTime?: Date, EndTime?: Date, Unit?: MetricDatum['Unit'] } = {}
) {
  const { Unit, ...times } = range
  const { MetricDataResults } = await sandbox.cloudwatch.send(new GetMetricDataCommand({
    StartTime: at(0),
    EndTime: at(600),
    ScanBy: 'TimestampAscending',
    ...times,
    MetricDataQueries: [{
      Id: 'q', MetricStat: { Metric: { Namespace, MetricName }, Period, Stat, ...(Unit && { Unit }) }
    }]
  }))
  return MetricDataResults![0]!
}

t.test('GetMetricData gives the statistics of each period, oldest or newest first', async t => {
  await put('stats', [
    { MetricName: 'm', Values: [1, 2, 100], Counts: [50, 49, 1], Timestamp: at(0) },
    { MetricName: 'm', Value: 7, Timestamp: at(61) },
    { MetricName: 'm', Value: 9, Timestamp: at(119.999) }
  ])
  const values: Record<string, number[]> = {
    SampleCount: [100, 2],
    Sum: [248, 16],
    Average: [2.48, 8],
    Minimum: [1, 7],
    Maximum: [100, 9],
    p50: [1, 7],
    p99: [2, 9],
    'p99.5': [100, 9]
  }
  for (const [stat, expected] of Object.entries(values)) {
    const result = await get('stats', 'm', stat)
    t.same(result.Timestamps, [at(0), at(60)], stat)
    t.same(result.Values, expected, stat)
    t.equal(result.StatusCode, 'Complete')
  }
  const newest = await sandbox.cloudwatch.send(new GetMetricDataCommand({
    StartTime: at(0),
    EndTime: at(600),
    MetricDataQueries: [{
      Id: 'q', Label: 'mine', MetricStat: { Metric: { Namespace: 'stats', MetricName: 'm' }, Period: 60, Stat: 'Sum' }
    }]
  }))
  t.match(newest.MetricDataResults, [{ Id: 'q', Label: 'mine', Timestamps: [at(60), at(0)], Values: [16, 248] }])
  t.same((await get('stats', 'm', 'Sum', 300)).Values, [264], 'longer periods merge')
})

t.test('StartTime is inclusive and rounded down to the minute, EndTime is exclusive', async t => {
  await put('range', [0, 60, 120].map(seconds => ({ MetricName: 'm', Value: seconds, Timestamp: at(seconds) })))
  t.same((await get('range', 'm', 'Sum', 60, { StartTime: at(60), EndTime: at(120) })).Values, [60])
  t.same((await get('range', 'm', 'Sum', 60, { StartTime: at(119), EndTime: at(121) })).Values, [60, 120])
})

t.test('periods below a minute see high-resolution data of the last three hours only', async t => {
  await put('fine', [
    { MetricName: 'm', Value: 1, StorageResolution: 1, Timestamp: at(3) },
    { MetricName: 'm', Value: 2, StorageResolution: 1, Timestamp: at(4) },
    { MetricName: 'm', Value: 4, StorageResolution: 1, Timestamp: at(5) },
    { MetricName: 'm', Value: 8, Timestamp: at(6) },
    { MetricName: 'm', Value: 16, StorageResolution: 1, Timestamp: at(-4 * 3_600) }
  ])
  t.same((await get('fine', 'm', 'Sum', 1)).Values, [1, 2, 4])
  t.same((await get('fine', 'm', 'Sum', 5)).Values, [3, 4])
  t.same((await get('fine', 'm', 'Sum', 60)).Values, [15])
  t.same((await get('fine', 'm', 'Sum', 1, { StartTime: at(-5 * 3_600), EndTime: at(0) })).Values, [])
  t.same((await get('fine', 'm', 'Sum', 60, { StartTime: at(-5 * 3_600), EndTime: at(0) })).Values, [16])
})

t.test('dimensions are part of the metric, in any order', async t => {
  const Dimensions = [{ Name: 'b', Value: '2' }, { Name: 'a', Value: '1' }]
  await put('dims', [{ MetricName: 'm', Value: 1, Dimensions, Timestamp: at(0) }])
  const query = async (dimensions: typeof Dimensions) => {
    const { MetricDataResults } = await sandbox.cloudwatch.send(new GetMetricDataCommand({
      StartTime: at(0),
      EndTime: at(60),
      MetricDataQueries: [{
        Id: 'q',
        MetricStat: { Metric: { Namespace: 'dims', MetricName: 'm', Dimensions: dimensions }, Period: 60, Stat: 'Sum' }
      }]
    }))
    return MetricDataResults![0]!.Values
  }
  t.same(await query([...Dimensions].reverse()), [1])
  t.same(await query([Dimensions[0]!]), [])
  t.same((await get('dims', 'm', 'Sum')).Values, [])
})

t.test('a unit selects, no unit merges in GetMetricData and keeps apart in GetMetricStatistics', async t => {
  await put('units', [
    { MetricName: 'm', Value: 1, Unit: 'Bytes', Timestamp: at(0) },
    { MetricName: 'm', Value: 2, Unit: 'Count', Timestamp: at(0) }
  ])
  t.same((await get('units', 'm', 'Sum')).Values, [3])
  t.same((await get('units', 'm', 'Sum', 60, { Unit: 'Count' })).Values, [2])
  t.same((await get('units', 'm', 'Sum', 60, { Unit: 'Percent' })).Values, [])
  const { Datapoints } = await sandbox.cloudwatch.send(new GetMetricStatisticsCommand({
    Namespace: 'units', MetricName: 'm', StartTime: at(0), EndTime: at(60), Period: 60, Statistics: ['Sum']
  }))
  t.same(Datapoints, [{ Timestamp: at(0), Unit: 'Bytes', Sum: 1 }, { Timestamp: at(0), Unit: 'Count', Sum: 2 }])
})

t.test('percentiles of statistic sets exist only where all points are equal', async t => {
  await put('sets', [
    { MetricName: 'spread', StatisticValues: { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 }, Timestamp: at(0) },
    { MetricName: 'equal', StatisticValues: { SampleCount: 3, Sum: 6, Minimum: 2, Maximum: 2 }, Timestamp: at(0) }
  ])
  t.same((await get('sets', 'spread', 'p50')).Values, [])
  t.same((await get('sets', 'spread', 'Average')).Values, [1.5])
  t.same((await get('sets', 'equal', 'p50')).Values, [2])
})

t.test('GetMetricData pages through all queries', async t => {
  await put(
    'pages',
    Array.from({ length: 10 }, (_, i) => ({ MetricName: i < 5 ? 'a' : 'b', Value: i, Timestamp: at(60 * (i % 5)) }))
  )
  const seen: Record<string, number[]> = { a: [], b: [] }
  let NextToken: string | undefined
  let pages = 0
  do {
    const page = await sandbox.cloudwatch.send(new GetMetricDataCommand({
      StartTime: at(0),
      EndTime: at(600),
      ScanBy: 'TimestampAscending',
      MaxDatapoints: 4,
      NextToken,
      MetricDataQueries: ['a', 'b'].map(
        name => ({
          Id: name, MetricStat: { Metric: { Namespace: 'pages', MetricName: name }, Period: 60, Stat: 'Sum' }
        })
      )
    }))
    for (const { Id, Values } of page.MetricDataResults!) seen[Id!]!.push(...Values!)
    if (pages === 0) {
      t.match(page.MetricDataResults, [{ StatusCode: 'PartialData' }, { StatusCode: 'PartialData', Values: [] }])
    }
    NextToken = page.NextToken
    pages++
  } while (NextToken !== undefined)
  t.equal(pages, 3)
  t.same(seen, { a: [0, 1, 2, 3, 4], b: [5, 6, 7, 8, 9] })
})

t.test('GetMetricData refuses', async t => {
  const Metric = { Namespace: 'a', MetricName: 'm' }
  const query = { Id: 'q', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }
  const stat = (fields: object) => ({
    MetricDataQueries: [{ ...query, MetricStat: { ...query.MetricStat, ...fields } }]
  })
  const refused: [string, Partial<GetMetricDataCommandInput>, string][] = [
    ['no query', { MetricDataQueries: [] }, 'MissingRequiredParameterException'],
    [
      '501 queries',
      { MetricDataQueries: Array.from({ length: 501 }, (_, i) => ({ ...query, Id: `q${i}` })) },
      'ValidationException'
    ],
    ['an expression', { MetricDataQueries: [{ Id: 'e', Expression: 'SUM(METRICS())' }] }, 'ValidationException'],
    ['neither metric nor expression', { MetricDataQueries: [{ Id: 'e' }] }, 'MissingRequiredParameterException'],
    ['an id in capitals', { MetricDataQueries: [{ ...query, Id: 'Q' }] }, 'ValidationException'],
    ['two queries with one id', { MetricDataQueries: [query, query] }, 'ValidationException'],
    ['an unknown statistic', stat({ Stat: 'Median' }), 'ValidationException'],
    ['a period of 7 seconds', stat({ Period: 7 }), 'InvalidParameterValueException'],
    ['a period of 90 seconds', stat({ Period: 90 }), 'InvalidParameterValueException'],
    ['a range that is empty', { StartTime: at(0), EndTime: at(0) }, 'ValidationException'],
    ['no start', { StartTime: undefined }, 'MissingRequiredParameterException'],
    ['an order it does not know', { ScanBy: 'Random' as 'TimestampAscending' }, 'ValidationException'],
    ['too many points on a page', { MaxDatapoints: 100_801 }, 'ValidationException'],
    ['a token it has not given', { NextToken: 'nonsense' }, 'InvalidNextToken']
  ]
  for (const [what, input, name] of refused) {
    await t.rejects(
      sandbox.cloudwatch.send(new GetMetricDataCommand({
        StartTime: at(0),
        EndTime: at(60),
        MetricDataQueries: [query],
        ...input
      })),
      { name, $metadata: { httpStatusCode: 400 } },
      what
    )
  }
})

t.test('GetMetricStatistics gives statistics and percentiles', async t => {
  await put('gms', [{ MetricName: 'm', Values: [1, 2, 3], Timestamp: at(0), Unit: 'Seconds' }])
  const base = { Namespace: 'gms', MetricName: 'm', StartTime: at(0), EndTime: at(60), Period: 60 }
  const plain = await sandbox.cloudwatch.send(new GetMetricStatisticsCommand({
    ...base, Statistics: ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum']
  }))
  t.match(plain, {
    Label: 'm',
    Datapoints: [{ Timestamp: at(0), Unit: 'Seconds', SampleCount: 3, Sum: 6, Average: 2, Minimum: 1, Maximum: 3 }]
  })
  const extended = await sandbox.cloudwatch.send(new GetMetricStatisticsCommand({
    ...base, ExtendedStatistics: ['p50', 'p99.9']
  }))
  t.match(extended.Datapoints, [{ ExtendedStatistics: { p50: 2, 'p99.9': 3 } }])
  t.same(
    (await sandbox.cloudwatch.send(new GetMetricStatisticsCommand({
      ...base, MetricName: 'none', Statistics: ['Sum']
    }))).Datapoints,
    []
  )

  const refused: [string, Partial<GetMetricStatisticsCommandInput>, string, RegExp][] = [
    ['no statistic', { Statistics: [] }, 'MissingRequiredParameterException', /Statistics/],
    [
      'both kinds of statistic',
      { ExtendedStatistics: ['p50'] },
      'InvalidParameterCombinationException',
      /mutually exclusive/
    ],
    ['a percentile as a statistic', { Statistics: ['p50' as 'Sum'] }, 'InvalidParameterValueException', /p50/],
    [
      'a percentile above p100',
      { Statistics: undefined, ExtendedStatistics: ['p101'] },
      'InvalidParameterValueException',
      /p101/
    ],
    [
      'more than 1440 points',
      { StartTime: at(-2_880 * 60), EndTime: at(0) },
      'InvalidParameterCombinationException',
      /2,880 datapoints, which exceeds the limit of 1,440/
    ],
    ['an end before the start', { EndTime: at(-60) }, 'InvalidParameterCombinationException', /StartTime must be less/],
    ['an unknown unit', { Unit: 'Furlongs' as 'Bytes' }, 'InvalidParameterValueException', /Unit/]
  ]
  for (const [what, input, name, message] of refused) {
    await t.rejects(
      sandbox.cloudwatch.send(new GetMetricStatisticsCommand({ ...base, Statistics: ['Sum'], ...input })),
      { name, message },
      what
    )
  }
})

t.test('ListMetrics filters by namespace, name and dimensions', async t => {
  const page = { Name: 'Page', Value: '/' }
  const browser = { Name: 'Browser', Value: 'Firefox' }
  await put('list', [
    { MetricName: 'Load', Value: 1, Dimensions: [page, browser], Timestamp: at(0) },
    { MetricName: 'Load', Value: 1, Dimensions: [page], Timestamp: at(-4 * 3_600) },
    { MetricName: 'Clicks', Value: 1, Timestamp: at(0) }
  ])
  const list = async (input: object) =>
    (await sandbox.cloudwatch.send(new ListMetricsCommand({ Namespace: 'list', ...input }))).Metrics!.map(
      ({ MetricName, Dimensions }) => `${MetricName}/${Dimensions!.length}`
    )
  t.same(await list({}), ['Load/2', 'Load/1', 'Clicks/0'])
  t.same(await list({ MetricName: 'Clicks' }), ['Clicks/0'])
  t.same(await list({ Dimensions: [{ Name: 'Page' }] }), ['Load/2', 'Load/1'])
  t.same(await list({ Dimensions: [{ Name: 'Page', Value: '/' }, { Name: 'Browser', Value: 'Firefox' }] }), ['Load/2'])
  t.same(await list({ Dimensions: [{ Name: 'Page', Value: '/other' }] }), [])
  t.same(await list({ RecentlyActive: 'PT3H' }), ['Load/2', 'Clicks/0'])
  t.same(await list({ Namespace: 'nowhere' }), [])
  await t.rejects(list({ RecentlyActive: 'PT4H' }), { name: 'InvalidParameterValueException' })
  await t.rejects(list({ NextToken: 'nonsense' }), { name: 'InvalidNextToken' })
})

t.test('ListMetrics pages by 500', async t => {
  await put('many', Array.from({ length: 600 }, (_, i) => ({ MetricName: `m${i}`, Value: 1 })))
  const first = await sandbox.cloudwatch.send(new ListMetricsCommand({ Namespace: 'many' }))
  t.equal(first.Metrics!.length, 500)
  const second = await sandbox.cloudwatch.send(new ListMetricsCommand({
    Namespace: 'many', NextToken: first.NextToken
  }))
  t.equal(second.Metrics!.length, 100)
  t.equal(second.NextToken, undefined)
  t.equal(new Set([...first.Metrics!, ...second.Metrics!].map(({ MetricName }) => MetricName)).size, 600)
})
