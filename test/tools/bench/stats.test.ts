import t from 'tap'
import { alternate, medianInterval, percentile, ratiosOf, spreadOf } from '../../../tools/bench/stats.js'

t.test('the median is the middle value, or the mean of the two in the middle', async t => {
  t.same(spreadOf([3, 1, 2]), { median: 2, min: 1, max: 3 })
  t.same(spreadOf([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4 })
})

t.test('a percentile is the smallest value that as many values do not exceed', async t => {
  const sorted = Array.from({ length: 100 }, (_value, index) => index + 1)
  t.equal(percentile(sorted, 0.5), 50)
  t.equal(percentile(sorted, 0.99), 99)
  t.equal(percentile([], 0.5), 0)
})

t.test('ratios are those of each round, and sides change places every round', async t => {
  t.same(ratiosOf([2, 9], [1, 3]), [2, 3])
  t.same([0, 1, 2].map(round => alternate(['a', 'b'], round)), [['a', 'b'], ['b', 'a'], ['a', 'b']])
})

/** P(X ≥ least) of a binomial distribution. */
function atLeast (least: number, trials: number, probability: number): number {
  const choose = (picked: number): number => Array.from({ length: picked }).reduce<number>((product, _none, index) => product * (trials - index) / (index + 1), 1)
  return Array.from({ length: trials - least + 1 }, (_none, index) => least + index)
    .reduce((sum, picked) => sum + choose(picked) * probability ** picked * (1 - probability) ** (trials - picked), 0)
}

t.test('the interval of the median is that of the bootstrap', async t => {
  t.same(medianInterval([1.04]), { low: 1.04, high: 1.04 }, 'of one value, the value')
  t.same(medianInterval([2, 2, 2, 2, 2, 2, 2, 2]), { low: 2, high: 2 }, 'of equal values, the value')

  for (const count of [9, 11, 21]) {
    // The median of a sample is at most the k-th value when more than half of its values are among the first k.
    const most = (value: number): number => atLeast((count + 1) / 2, count, value / count)
    const values = Array.from({ length: count }, (_value, index) => index + 1)
    const quantile = (share: number): number => values.find(value => most(value) >= share)!
    const { low, high } = medianInterval([...values].reverse())
    t.same({ low, high }, { low: quantile(0.025), high: quantile(0.975) }, `of ${count} values, as the binomial distribution has it`)
  }
})

t.test('one wild round does not widen the interval to itself', async t => {
  const { low, high } = medianInterval([1.01, 1.02, 1.02, 1.03, 1.03, 1.04, 1.05, 9])
  t.ok(low >= 1.01 && high <= 1.05 + (9 - 1.05) / 2, `${low} to ${high}`)
})
