import fc from 'fast-check'
import t from 'tap'
import {
  addSet, addValue, emptyDistribution, merge, parsePercentile, percentile, statistic, type Distribution
} from '../../../../tools/sandbox/metrics/statistics.js'

function distributionOf (points: number[]): Distribution {
  const distribution = emptyDistribution()
  for (const point of points) addValue(distribution, point, 1)
  return distribution
}

const pointsArbitrary = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 300 })

t.test('reads percentile names from p0 to p100', async t => {
  for (const [name, p] of [
    ['p0', 0],
    ['p5', 5],
    ['p99', 99],
    ['p99.9', 99.9],
    ['p0.01', 0.01],
    ['p100', 100],
    ['p100.0', 100]
  ] as const) {
    t.equal(parsePercentile(name), p, name)
  }
  for (const name of ['p', 'p101', 'p100.1', 'P99', 'p-1', '99', 'p99.', 'p099', 'tm99', 'Average']) {
    t.equal(parsePercentile(name), null, name)
  }
})

t.test('takes the percentile at the nearest rank', async t => {
  const hundred = new Map(Array.from({ length: 100 }, (_, i) => [i + 1, 1]))
  for (const [p, value] of [[0, 1], [1, 1], [1.1, 2], [7, 7], [50, 50], [99, 99], [99.1, 100], [100, 100]] as const) {
    t.equal(percentile(hundred, p), value, `p${p}`)
  }
  t.equal(percentile(new Map([[1, 99], [1000, 1]]), 99), 1)
  t.equal(percentile(new Map([[1, 98], [1000, 2]]), 99), 1000)
  t.equal(percentile(new Map(), 50), null)
})

t.test('a percentile of values with counts is that of the points written out', async () => {
  fc.assert(fc.property(pointsArbitrary, fc.integer({ min: 0, max: 1000 }), (points, permille) => {
    const sorted = [...points].sort((a, b) => a - b)
    const rank = Math.max(1, Math.ceil((permille / 10 * points.length) / 100))
    return percentile(distributionOf(points).values, permille / 10) === sorted[rank - 1]
  }))
})

t.test('no statistic changes when the points are put in parts', async () => {
  fc.assert(fc.property(pointsArbitrary, fc.nat(), (points, cut) => {
    const middle = cut % (points.length + 1)
    const merged = distributionOf(points.slice(0, middle))
    merge(merged, distributionOf(points.slice(middle)))
    const whole = distributionOf(points)
    return ['SampleCount', 'Sum', 'Average', 'Minimum', 'Maximum', 'p0', 'p50', 'p99'].every(name =>
      statistic(merged, name) === statistic(whole, name))
  }))
})

t.test('statistic sets merge into one, and hide the percentiles', async t => {
  const distribution = distributionOf([10])
  addSet(distribution, { SampleCount: 3, Sum: 12, Minimum: 2, Maximum: 7 })
  addSet(distribution, { SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2 })
  t.equal(statistic(distribution, 'SampleCount'), 6)
  t.equal(statistic(distribution, 'Sum'), 25)
  t.equal(statistic(distribution, 'Minimum'), 1)
  t.equal(statistic(distribution, 'Maximum'), 10)
  t.equal(statistic(distribution, 'p50'), null)
})

t.test('a statistic set of equal points keeps the percentiles', async t => {
  const distribution = distributionOf([1])
  addSet(distribution, { SampleCount: 3, Sum: 12, Minimum: 4, Maximum: 4 })
  t.equal(statistic(distribution, 'p50'), 4)
  t.equal(statistic(distribution, 'Sum'), 13)
})

t.test('there is no percentile where a value is negative, and no statistic of nothing', async t => {
  t.equal(statistic(distributionOf([-1, 5]), 'p50'), null)
  t.equal(statistic(distributionOf([-1, 5]), 'Sum'), 4)
  t.equal(statistic(emptyDistribution(), 'Average'), null)
  const zero = emptyDistribution()
  addValue(zero, 7, 0)
  t.equal(statistic(zero, 'Maximum'), null)
})
