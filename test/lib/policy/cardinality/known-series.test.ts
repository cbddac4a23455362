import t from 'tap'
import type { StoredDatum } from '../../../../lib/items/item.js'
import { KnownSeries, UNCHANGED, type Known } from '../../../../lib/policy/cardinality/known-series.js'

const FOLDED: Known = { name: false, dimensions: [0] }

function datum (MetricName: string, ...dimensions: Array<[string, string]>): StoredDatum {
  return { MetricName, Value: 1, Timestamp: 1, ...(dimensions.length === 0 ? {} : { Dimensions: dimensions.map(([Name, Value]) => ({ Name, Value })) }) }
}

t.test('it knows the very series that it was told of', async t => {
  const known = new KnownSeries()
  known.set('s', datum('m', ['a', '1']), FOLDED)
  known.set('s', datum('m'), UNCHANGED)
  const find = known.reader('s')
  t.equal(find(datum('m', ['a', '1'])), FOLDED)
  t.equal(find(datum('m')), UNCHANGED)
  t.equal(find({ ...datum('m'), Dimensions: [] }), UNCHANGED, 'no dimensions are none')
  const others = [datum('m', ['a', '2']), datum('m', ['1', 'a']), datum('m', ['a', '1'], ['b', '2']), datum('n', ['a', '1']), datum('n'), datum('__proto__'), datum('m', ['constructor', 'x'])]
  for (const other of others) t.equal(find(other), undefined)
  t.equal(known.reader('other')(datum('m')), undefined)
})

t.test('that a name was asked for says nothing of its series', async t => {
  const known = new KnownSeries()
  known.setFolded('s', 'm', true)
  t.equal(known.isFolded('s', 'm'), true)
  t.equal(known.isFolded('s', 'n'), undefined)
  t.equal(known.reader('s')(datum('m')), undefined)
})

t.test('what it remembers is bounded by its size, long values counted', async t => {
  const known = new KnownSeries(100_000)
  known.set('s', datum('m', ['a', '1']), UNCHANGED)
  const value = 'x'.repeat(1_000)
  for (let i = 0; i < 200; i++) known.set('s', datum('m', ['a', value + i]), UNCHANGED)
  t.equal(known.reader('s')(datum('m', ['a', '1'])), undefined, 'forgotten')
  t.equal(known.reader('s')(datum('m', ['a', `${value}199`])), UNCHANGED, 'the last ones are not')
})
