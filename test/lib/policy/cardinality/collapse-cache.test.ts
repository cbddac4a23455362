import t from 'tap'
import type { StoredDatum } from '../../../../lib/items/item.js'
import { CollapseCache, UNCHANGED, type DatumCollapse } from '../../../../lib/policy/cardinality/collapse-cache.js'

const COLLAPSED: DatumCollapse = { name: false, dimensions: [0] }

function datum (MetricName: string, ...dimensions: Array<[string, string]>): StoredDatum {
  return {
    MetricName,
    Value: 1,
    Timestamp: 1,
    ...(dimensions.length === 0 ? {} : { Dimensions: dimensions.map(([Name, Value]) => ({ Name, Value })) })
  }
}

t.test('it finds the very series that were set', async t => {
  const cache = new CollapseCache()
  cache.set('s', datum('m', ['a', '1']), COLLAPSED)
  cache.set('s', datum('m'), UNCHANGED)
  const find = cache.reader('s')
  t.equal(find(datum('m', ['a', '1'])), COLLAPSED)
  t.equal(find(datum('m')), UNCHANGED)
  t.equal(find({ ...datum('m'), Dimensions: [] }), UNCHANGED, 'no dimensions are none')
  const others = [
    datum('m', ['a', '2']),
    datum('m', ['1', 'a']),
    datum('m', ['a', '1'], ['b', '2']),
    datum('n', ['a', '1']),
    datum('n'),
    datum('__proto__'),
    datum('m', ['constructor', 'x'])
  ]
  for (const other of others) t.equal(find(other), undefined)
  t.equal(cache.reader('other')(datum('m')), undefined)
})

t.test('the collapse of a name says nothing of the series of its metric', async t => {
  const cache = new CollapseCache()
  cache.setNameCollapsed('s', 'm', true)
  t.equal(cache.isNameCollapsed('s', 'm'), true)
  t.equal(cache.isNameCollapsed('s', 'n'), undefined)
  t.equal(cache.reader('s')(datum('m')), undefined)
})

t.test('the cache is bounded by its size, long values counted', async t => {
  const cache = new CollapseCache(100_000)
  cache.set('s', datum('m', ['a', '1']), UNCHANGED)
  const value = 'x'.repeat(1_000)
  for (let i = 0; i < 200; i++) cache.set('s', datum('m', ['a', value + i]), UNCHANGED)
  t.equal(cache.reader('s')(datum('m', ['a', '1'])), undefined, 'forgotten')
  t.equal(cache.reader('s')(datum('m', ['a', `${value}199`])), UNCHANGED, 'the last ones are not')
})
