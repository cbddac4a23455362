import t from 'tap'
import { datumReader, logEventReader } from '../../../lib/policy/item-reader.js'
import { ItemPolicy, type ItemPolicySettings } from '../../../lib/policy/item-policy.js'
import { readMetricDatum } from '../../../lib/items/metric-datum.js'
import type { StoredDatum } from '../../../lib/items/item.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const CLIENT = { address: '203.0.113.77', headers: { 'user-agent': 'Firefox/128.0' } }
const NOTHING: ItemPolicySettings = { dimensions: {}, redaction: {}, context: {} }

const policyOf = (settings: Partial<ItemPolicySettings>) => new ItemPolicy({ ...NOTHING, ...settings }, () => {})
const datum = (dimensions: Record<string, string>): StoredDatum => ({
  MetricName: 'm',
  Value: 1,
  Timestamp: NOW,
  Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value }))
})

t.test('without settings there is no policy', async t => {
  t.equal(policyOf({}).forDatums(CLIENT), null)
  t.equal(policyOf({}).forLogEvents(CLIENT), null)
  t.equal(policyOf({ dimensions: { allowed: [] } }).forLogEvents(CLIENT), null, 'log events have no dimensions')
  t.equal(
    policyOf({
      redaction: { fields: [], patterns: [], urlQueries: false }, context: { ip: false, userAgent: false }
    }).forDatums(CLIENT),
    null
  )
})

t.test('a data point that needs no change stays the object it is', async t => {
  const given = datum({ Page: '/a' })
  t.equal(
    policyOf({ redaction: { patterns: ['email'] }, dimensions: { allowed: ['Page'] } }).forDatums(CLIENT)!(given, 0),
    given
  )
})

t.test('first it is redacted, then its dimensions are judged, then the client\'s are added', async t => {
  const policy = policyOf({
    redaction: { urlQueries: true, fields: ['User'] },
    dimensions: { allowed: ['Page', 'User'] },
    context: { ip: true, userAgent: true }
  }).forDatums(CLIENT)!
  t.same(policy(datum({ Page: '/a?b', User: 'bob', Ip: '6.6.6.6', Other: 'x' }), 0).Dimensions, [
    { Name: 'Page', Value: '/a' },
    { Name: 'User', Value: '[redacted]' },
    { Name: 'Ip', Value: '203.0.113.0/24' },
    { Name: 'UserAgent', Value: 'Firefox 128' }
  ])
})

t.test('names that become the same are refused', async t => {
  const policy = policyOf({ redaction: { patterns: ['email'] } }).forDatums(CLIENT)!
  t.throws(() => policy(datum({ 'a@example.com': '1', 'b@example.com': '2' }), 3), {
    reason: 'invalid-dimension', message: /^MetricData\[3\]/
  })
})

t.test('log messages get fields, or words at their end', async t => {
  const policy = policyOf({ context: { ip: true } }).forLogEvents(CLIENT)!
  const message = (text: string) => policy([NOW, text], 0)[1]
  t.equal(message('{"a":1}'), '{"a":1,"_ip":"203.0.113.0/24"}')
  t.equal(message('{}'), '{"_ip":"203.0.113.0/24"}')
  for (const text of ['plain', '[1]', '{"cut', '{"a":1} {"b":2}']) {
    t.equal(message(text), `${text} _ip="203.0.113.0/24"`)
  }
  const ofText = (message: string) => policy([NOW, message], 0)[1]
  t.equal(
    ofText('said _ip="6.6.6.6" and _IP: 6.6.6.6'),
    'said _ip="203.0.113.0/24" and _IP: 203.0.113.0/24 _ip="203.0.113.0/24"',
    'what the client states is replaced in text, too'
  )
  t.equal(ofText('cut {"_ip":"6.6.6.6","a":1'), 'cut {"_ip":"203.0.113.0/24","a":1 _ip="203.0.113.0/24"')
  t.equal(ofText('{"_ip":"6.6.6.6"'), '{"_ip":"203.0.113.0/24" _ip="203.0.113.0/24"')
  t.equal(ofText('_ip[]=6.6.6.6&n=1'), '_ip[]=203.0.113.0/24&n=1 _ip="203.0.113.0/24"')
  t.match(
    policyOf({ context: { ip: true } }).forLogEvents({ address: null, headers: {} })!([NOW, 'x'], 0)[1], '_ip="unknown"'
  )
})

t.test('the gateway itself is no client', async t => {
  const given = datum({ Page: '/a' })
  t.equal(policyOf({ context: { ip: true } }).forDatums(null)!(given, 0), given)
})

t.test('a skewed clock is mended before the policy sees the item', async t => {
  const skew = 1_000_000_000
  const seen: number[] = []
  const { read } = datumReader({ now: NOW, skew, policy: datum => { seen.push(datum.Timestamp); return datum } })
  t.equal(read({ MetricName: 'm', Value: 1, Timestamp: (NOW - skew) / 1000 }, 0).Timestamp, NOW)
  t.equal(read({ MetricName: 'm', Value: 1 }, 0).Timestamp, NOW)
  t.same(seen, [NOW, NOW])
  t.same(
    logEventReader({ now: NOW, skew: -skew, policy: null, emf: message => message }).read(
      { message: 'x', timestamp: NOW + skew - 5 }, 0
    ),
    [NOW - 5, 'x']
  )
  t.same(
    datumReader({ now: NOW, skew: 0, policy: null }).read({ MetricName: 'm', Value: 1 }, 0),
    readMetricDatum({ MetricName: 'm', Value: 1 }, 0, NOW)
  )
})
