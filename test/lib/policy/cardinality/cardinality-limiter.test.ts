import t from 'tap'
import type { StoredDatum } from '../../../../lib/items/item.js'
import { CardinalityLimiter } from '../../../../lib/policy/cardinality/cardinality-limiter.js'
import { LocalSeriesTable, type SeriesClaim } from '../../../../lib/policy/cardinality/series-table.js'

const DAY_MS = 24 * 3_600_000
const LIMITS = { metrics: 3, series: 4 }

class CountingTable extends LocalSeriesTable {
  calls = 0
  claims = 0

  override claim (day: number, claims: readonly SeriesClaim[]) {
    this.calls++
    this.claims += claims.length
    return super.claim(day, claims)
  }
}

function open () {
  const table = new CountingTable()
  const clock = { now: 20_779 * DAY_MS }
  const counted: Record<string, number> = {}
  const limiter = new CardinalityLimiter({
    table,
    now: () => clock.now,
    onCollapsed: (applicationId, cause, datums) => {
      counted[`${applicationId} ${cause}`] = (counted[`${applicationId} ${cause}`] ?? 0) + datums
    }
  })
  return { limiter, table, clock, counted }
}

function datum (MetricName: string, dimensions?: Record<string, string>): StoredDatum {
  return {
    MetricName,
    Value: 1,
    Timestamp: 1,
    ...(
      dimensions === undefined
        ? {}
        : { Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })) }
    )
  }
}

const users = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => datum('m', { Page: '/a', User: `u${from + i}` }))
const shown = (datums: StoredDatum[]) =>
  datums.map(({ MetricName, Dimensions = [] }) =>
    [MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value}`)].join(' '))

t.test('data points beyond the limit are collapsed and counted, the others are left as they are', async t => {
  const { limiter, counted } = open()
  const datums = users(0, 7)
  const given = [...datums]
  await limiter.collapse('app', 'ns', LIMITS, datums)
  t.same(shown(datums), [
    'm Page=/a User=u0',
    'm Page=/a User=u1',
    'm Page=/a User=u2',
    'm Page=/a User=u3',
    ...Array(3).fill('m Page=/a User=__other__')
  ])
  for (let i = 0; i < 4; i++) t.equal(datums[i], given[i])
  t.equal(given[5]!.Dimensions![1]!.Value, 'u5', 'the data point itself is not touched')
  t.same(counted, { 'app max-series': 3 })
})

t.test('known series are not asked for again, and cost no promise', async t => {
  const { limiter, table, counted } = open()
  await limiter.collapse('app', 'ns', LIMITS, users(0, 6))
  const { calls } = table
  const datums = users(0, 6)
  t.equal(limiter.collapse('app', 'ns', LIMITS, datums), undefined)
  t.equal(table.calls, calls)
  t.equal(shown(datums)[5], 'm Page=/a User=__other__')
  t.same(counted, { 'app max-series': 4 })
})

t.test('new series of a request are asked for in one call, each once', async t => {
  const { limiter, table } = open()
  await limiter.collapse('app', 'ns', LIMITS, [...users(0, 3), ...users(0, 3), datum('n', { Page: '/a' })])
  t.equal(table.calls, 2, 'one for the names, one for the series')
  t.equal(table.claims, 2 + 4)
  await limiter.collapse('app', 'ns', LIMITS, users(3, 4))
  t.equal(table.calls, 3, 'a known name is not asked for')
})

t.test('the order of dimensions makes no other series', async t => {
  const { limiter } = open()
  await limiter.collapse('app', 'ns', { metrics: 1, series: 1 }, [datum('m', { a: '1', b: '2' })])
  const datums = [datum('m', { b: '2', a: '1' }), datum('m', { b: '3', a: '1' })]
  await limiter.collapse('app', 'ns', { metrics: 1, series: 1 }, datums)
  t.equal(shown(datums)[0], 'm b=2 a=1')
  t.match(shown(datums)[1], /__other__/)
})

t.test('names of metrics are bounded too', async t => {
  const { limiter, counted } = open()
  const datums = ['a', 'b', 'c', 'd', 'e'].map(name => datum(name))
  datums.push(datum('f', { User: 'u1' }))
  await limiter.collapse('app', 'ns', LIMITS, datums)
  t.same(shown(datums), ['a', 'b', 'c', '__other__', '__other__', '__other__ User=u1'])
  t.same(counted, { 'app max-metrics': 3 })
  const more = Array.from({ length: 20 }, (_, i) => datum(`more ${i}`, { User: `v${i}` }))
  await limiter.collapse('app', 'ns', LIMITS, more)
  t.equal(new Set(shown(more)).size, 4, '3 more series of __other__, and one for the rest')
})

t.test('applications, namespaces and metrics do not know of each other', async t => {
  const { limiter } = open()
  await limiter.collapse('app', 'ns', LIMITS, users(0, 4))
  for (const [application, namespace] of [['other', 'ns'], ['app', 'other']] as const) {
    const datums = users(10, 11)
    await limiter.collapse(application, namespace, LIMITS, datums)
    t.equal(shown(datums)[0], 'm Page=/a User=u10')
  }
  const other = [datum('n', { Page: '/a', User: 'u10' })]
  await limiter.collapse('app', 'ns', LIMITS, other)
  t.equal(shown(other)[0], 'n Page=/a User=u10')
})

t.test('series that find no place at all become one series', async t => {
  const { limiter } = open()
  const datums = Array.from({ length: 30 }, (_, i) => datum('m', { [`name ${i}`]: 'x' }))
  await limiter.collapse('app', 'ns', LIMITS, datums)
  t.equal(shown(datums).at(-1), 'm __other__=__other__')
  t.equal(new Set(shown(datums)).size, 4 + 1 + 1)
})

t.test('at midnight UTC all series are forgotten', async t => {
  const { limiter, clock } = open()
  await limiter.collapse('app', 'ns', LIMITS, users(0, 5))
  clock.now += DAY_MS
  const datums = users(4, 8)
  await limiter.collapse('app', 'ns', LIMITS, datums)
  t.notMatch(shown(datums).join(), /__other__/)
})

t.test('a limit of 0 is none', async t => {
  const { limiter } = open()
  const datums = [...users(0, 20), ...Array.from({ length: 20 }, (_, i) => datum(`n${i}`))]
  await limiter.collapse('app', 'ns', { metrics: 0, series: 0 }, datums)
  t.notMatch(shown(datums).join(), /__other__/)
})

t.test('a raised limit is in force at once', async t => {
  const { limiter } = open()
  await limiter.collapse('app', 'ns', LIMITS, users(0, 5))
  const datums = users(4, 5)
  await limiter.collapse('app', 'ns', { metrics: 3, series: 10 }, datums)
  t.equal(shown(datums)[0], 'm Page=/a User=u4')
})

t.test('long dimensions are told apart', async t => {
  const { limiter } = open()
  const long = 'x'.repeat(1_000)
  const datums = ['1', '2', '3', '4', '5'].map(end => datum('m', { a: long + end }))
  await limiter.collapse('app', 'ns', LIMITS, datums)
  t.equal(new Set(shown(datums)).size, 5)
  t.equal(shown(datums)[4], 'm a=__other__')
})
