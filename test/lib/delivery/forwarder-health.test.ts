import t from 'tap'
import { createHealth } from '../../../lib/delivery/forwarder-health.js'

t.test('the destination that is denied longest is named, until each is answered', async t => {
  let now = 1_000
  const health = createHealth({ now: () => now, forgetMs: 60_000 })
  t.same(health.read(), { failing: null })
  health.denied('a', 'first')
  now += 100
  health.denied('b', 'other')
  health.denied('a', 'again')
  t.same(health.read().failing, { destination: 'a', class: 'denied', message: 'again', since: 1_000, destinations: 2, partial: false })
  health.answered('c')
  t.equal(health.read().failing?.partial, true, 'the credentials as such suffice')
  health.answered('a')
  t.match(health.read().failing, { destination: 'b', destinations: 1 })
  health.answered('b')
  t.same(health.read(), { failing: null })
})

t.test('a denial that another process has seen the end of is forgotten', async t => {
  let now = 0
  const health = createHealth({ now: () => now, forgetMs: 60_000 })
  health.denied('a', 'no')
  now = 60_000
  t.not(health.read().failing, null)
  now = 60_001
  t.equal(health.read().failing, null)
})
