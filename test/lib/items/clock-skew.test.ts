import t from 'tap'
import { readClockSkew } from '../../../lib/items/clock-skew.js'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const HOUR = 3_600_000

t.test('a difference of more than a minute is the skew, in either direction', async t => {
  t.equal(readClockSkew(NOW - HOUR, NOW), HOUR)
  t.equal(readClockSkew(NOW + HOUR, NOW), -HOUR)
  t.equal(readClockSkew(NOW - 60_001, NOW), 60_001)
})

t.test('a minute or less is none', async t => {
  for (const sentAt of [undefined, NOW, NOW - 60_000, NOW + 60_000]) t.equal(readClockSkew(sentAt, NOW), 0)
})

t.test('it is read as Unix milliseconds and as ISO 8601', async t => {
  const forms: unknown[] = [
    NOW - HOUR,
    String(NOW - HOUR),
    '2026-11-22T11:00:00Z',
    '2026-11-22T11:00:00.000Z',
    '2026-11-22T12:00:00+01:00',
    NOW - HOUR + 0.2
  ]
  for (const sentAt of forms) t.equal(readClockSkew(sentAt, NOW), HOUR, String(sentAt))
  t.equal(readClockSkew(0, NOW), NOW, 'a clock that stands at 1970')
})

t.test('anything else is no time', async t => {
  for (const sentAt of [
    null, '', 'yesterday', '2026-13-01T00:00:00Z', '-5', -5, NaN, Infinity, 1e300, '9999999999999999', '1969-01-01',
    true, {}, [NOW]
  ]) {
    t.equal(readClockSkew(sentAt, NOW), null, String(sentAt))
  }
})
