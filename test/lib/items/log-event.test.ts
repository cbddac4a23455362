import t from 'tap'
import { PUT_LOG_EVENTS as LIMIT } from '../../../schemas/aws-limits.js'
import { readLogEvent } from '../../../lib/items/log-event.js'
import { logGroupNameError, logStreamNameError } from '../../../lib/items/names.js'
import { InvalidItem } from '../../../lib/items/item-error.js'

const NOW = 1_795_330_800_123
const DAY = 24 * 3_600_000

function read (event: unknown) {
  try {
    return readLogEvent(event, 2, NOW)
  } catch (refusal) {
    if (refusal instanceof InvalidItem) return { reason: refusal.reason, message: refusal.message }
    throw refusal
  }
}

t.test('takes a timestamp as a number, as a string of digits, or not at all', async t => {
  t.same(read({ message: 'm', timestamp: NOW }), [NOW, 'm'])
  t.same(read({ message: 'm', timestamp: String(NOW) }), [NOW, 'm'])
  t.same(read({ message: 'm', timestamp: NOW + 0.4 }), [NOW, 'm'], 'rounded')
  t.same(read({ message: 'm', timestamp: `${NOW}.5` }), [NOW + 1, 'm'], 'rounded')
  t.same(read({ message: 'm' }), [NOW, 'm'])
})

t.test('takes the largest message that CloudWatch takes, counted in UTF-8', async t => {
  t.same(read({ message: 'x'.repeat(LIMIT.MAX_EVENT_BYTES) }), [NOW, 'x'.repeat(LIMIT.MAX_EVENT_BYTES)])
  t.match(read({ message: 'x'.repeat(LIMIT.MAX_EVENT_BYTES + 1) }), { reason: 'too-large', message: /1048550 bytes/ })
  t.match(read({ message: 'é'.repeat(LIMIT.MAX_EVENT_BYTES / 2 + 1) }), { reason: 'too-large' })
  t.notMatch(read({ message: 'é'.repeat(LIMIT.MAX_EVENT_BYTES / 2) }), { reason: 'too-large' })
})

t.test('replaces half surrogates, which UTF-8 cannot hold', async t => {
  t.same(read({ message: 'a\ud800b' }), [NOW, 'a\ufffdb'])
  t.same(read({ message: 'a😀b' }), [NOW, 'a😀b'])
})

t.test('refuses what PutLogEvents refuses, and names the field and the rule', async t => {
  const bad: Array<[string, unknown, string, RegExp]> = [
    ['null', null, 'invalid-item', /logEvents\[2\] must be an object/],
    ['a number', 5, 'invalid-item', /must be an object/],
    ['no message', { timestamp: NOW }, 'invalid-item', /message must be a string/],
    ['an object as the message', { message: {} }, 'invalid-item', /message must be a string/],
    ['an empty message', { message: '' }, 'invalid-item', /message must not be empty/],
    ['an unknown field', { message: 'm', level: 'info' }, 'invalid-item', /unknown field "level"/],
    ['a time with letters', { message: 'm', timestamp: '12x' }, 'invalid-timestamp', /timestamp/],
    ['a time of null', { message: 'm', timestamp: null }, 'invalid-timestamp', /timestamp/],
    ['an infinite time', { message: 'm', timestamp: Infinity }, 'invalid-timestamp', /timestamp/],
    ['a time with an exponent', { message: 'm', timestamp: '1e12' }, 'invalid-timestamp', /timestamp/],
    ['a negative time', { message: 'm', timestamp: -1 }, 'invalid-timestamp', /timestamp/],
    ['too old', { message: 'm', timestamp: NOW - 14 * DAY - 1 }, 'too-old', /14 days/],
    ['seconds instead of milliseconds', { message: 'm', timestamp: Math.floor(NOW / 1000) }, 'too-old', /14 days/],
    ['too new', { message: 'm', timestamp: NOW + DAY / 12 + 1 }, 'too-new', /2 hours/]
  ]
  for (const [name, event, reason, message] of bad) t.match(read(event), { reason, message }, name)
})

t.test('judges the names of log groups and log streams', async t => {
  t.equal(logGroupNameError('/web/shop.v1_a-b#1'), null)
  t.match(logGroupNameError(''), /empty/)
  t.match(logGroupNameError('a b'), /letters, digits/)
  t.match(logGroupNameError('aws/lambda'), /AWS's own/)
  t.match(logGroupNameError('a'.repeat(513)), /512/)
  t.equal(logStreamNameError('browser 2026/11/22 [é]'), null)
  t.match(logStreamNameError('a:b'), /: or \*/)
  t.match(logStreamNameError('a*'), /: or \*/)
  t.match(logStreamNameError(''), /empty/)
  t.match(logStreamNameError('\ud800'), /Unicode/)
})
