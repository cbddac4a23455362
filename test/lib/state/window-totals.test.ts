import t from 'tap'
import { WindowTotals } from '../../../lib/state/window-totals.js'

t.test('hits of all add up until the window ends, and the next one starts with its first hit', async t => {
  let now = 1_000
  const totals = new WindowTotals(() => now)
  const hit = { key: 'ip:1', by: 3, windowMs: 400 }
  t.same(totals.add([hit, { ...hit, key: 'ip:2' }]), [{ total: 3, endsInMs: 400 }, { total: 3, endsInMs: 400 }])
  now += 100
  t.same(totals.add([hit, hit]), [{ total: 6, endsInMs: 300 }, { total: 9, endsInMs: 300 }])
  now += 300
  t.same(totals.add([hit]), [{ total: 3, endsInMs: 400 }])
  t.same(totals.add([]), [])
})
