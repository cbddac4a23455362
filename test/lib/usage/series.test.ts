import t from 'tap'
import { nameInNamespace, seriesKey, type Series } from '../../../lib/usage/series.js'

const keyOf = (namespace: string, series: Series): string => seriesKey(namespace, nameInNamespace(series))

t.test('a series is its namespace, its name, and its dimensions in any order', async t => {
  const [a, b] = [{ Name: 'a', Value: '1' }, { Name: 'b', Value: '2' }]
  t.equal(
    keyOf('shop', { MetricName: 'm', Dimensions: [a, b] }),
    keyOf('shop', { MetricName: 'm', Dimensions: [b, a] })
  )
  const keys = [
    keyOf('shop', { MetricName: 'm', Dimensions: [a, b] }),
    keyOf('shop', { MetricName: 'm', Dimensions: [{ Name: 'a', Value: '2' }, { Name: 'b', Value: '1' }] }),
    keyOf('shop', { MetricName: 'm', Dimensions: [{ Name: 'a', Value: '1b' }, { Name: '', Value: '2' }] }),
    keyOf('shop', { MetricName: 'm' }),
    keyOf('shop', { MetricName: 'm', Dimensions: [] }) + '.',
    keyOf('blog', { MetricName: 'm' }),
    keyOf('shop', { MetricName: 'n' }),
    keyOf('shopm', { MetricName: '' })
  ]
  t.equal(new Set(keys).size, keys.length)
})
