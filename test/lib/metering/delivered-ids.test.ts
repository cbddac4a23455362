import t from 'tap'
import { DELIVERED_ID_TTL_MS, rememberDelivered } from '../../../lib/metering/delivered-ids.js'

t.test('what was delivered is known for 48 hours', async t => {
  let now = 1_000
  const delivered = rememberDelivered({ max: 10, now: () => now })
  await delivered.add(['a', 'b'])
  t.strictSame(await delivered.among(['a', 'c', 'b']), new Set(['a', 'b']))
  now += 48 * 3_600_000 - 1
  t.strictSame(await delivered.among(['a']), new Set(['a']))
  now += 2
  t.strictSame(await delivered.among(['a']), new Set())
  t.equal(DELIVERED_ID_TTL_MS, 48 * 3_600_000)
})

t.test('only so many are remembered', async t => {
  const delivered = rememberDelivered({ max: 2, now: Date.now })
  await delivered.add(['a', 'b', 'c'])
  t.strictSame(await delivered.among(['a', 'b', 'c']), new Set(['b', 'c']))
})
