import t from 'tap'
import { seriesKey } from '../../../lib/usage/series.js'

t.test('a series is its namespace, its name, and its dimensions in any order', async t => {
  const [a, b] = [{ Name: 'a', Value: '1' }, { Name: 'b', Value: '2' }]
  t.equal(
    seriesKey('shop', { MetricName: 'm', Dimensions: [a, b] }),
    seriesKey('shop', { MetricName: 'm', Dimensions: [b, a] })
  )
  const keys = [
    seriesKey('shop', { MetricName: 'm', Dimensions: [a, b] }),
    seriesKey('shop', { MetricName: 'm', Dimensions: [{ Name: 'a', Value: '2' }, { Name: 'b', Value: '1' }] }),
    seriesKey('shop', { MetricName: 'm', Dimensions: [{ Name: 'a', Value: '1b' }, { Name: '', Value: '2' }] }),
    seriesKey('shop', { MetricName: 'm' }),
    seriesKey('shop', { MetricName: 'm', Dimensions: [] }) + '.',
    seriesKey('blog', { MetricName: 'm' }),
    seriesKey('shop', { MetricName: 'n' }),
    seriesKey('shopm', { MetricName: '' })
  ]
  t.equal(new Set(keys).size, keys.length)
})
