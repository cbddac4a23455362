import t from 'tap'
import { createForwarderHealth } from '../../../lib/delivery/forwarder-health.js'

t.test('the destination that is denied longest is named, until each is answered', async t => {
  let now = 1_000
  const health = createForwarderHealth({ now: () => now, monotonicNow: () => now, forgetMs: 60_000 })
  t.same(health.read(), { failing: null })
  health.failed('a', { class: 'denied', message: 'first' })
  now += 100
  health.failed('b', { class: 'denied', message: 'other' })
  health.failed('a', { class: 'denied', message: 'again' })
  t.same(health.read().failing, {
    destination: 'a',
    class: 'denied',
    message: 'again',
    since: 1_000,
    destinations: 2,
    partial: false
  })
  health.answered('c')
  t.equal(health.read().failing?.partial, true, 'the credentials as such suffice')
  health.answered('a')
  t.match(health.read().failing, { destination: 'b', destinations: 1 })
  health.answered('b')
  t.same(health.read(), { failing: null })
})

t.test('a denial that another process has seen the end of is forgotten', async t => {
  let now = 0
  const health = createForwarderHealth({ now: () => now, monotonicNow: () => now, forgetMs: 60_000 })
  health.failed('a', { class: 'denied', message: 'no' })
  now = 60_000
  t.not(health.read().failing, null)
  now = 60_001
  t.equal(health.read().failing, null)
})

t.test('a wall clock that is set changes neither the order of denials nor when they are forgotten', async t => {
  const clock = { now: 100_000, setBy: 0 }
  const health = createForwarderHealth({
    now: () => clock.now + clock.setBy, monotonicNow: () => clock.now, forgetMs: 60_000
  })
  health.failed('a', { class: 'denied', message: 'first' })
  clock.setBy = -90_000
  clock.now++
  health.failed('b', { class: 'denied', message: 'second' })
  t.match(health.read().failing, { destination: 'a', since: 100_000, partial: false })
  health.answered('c')
  t.equal(health.read().failing?.partial, true)
  clock.setBy = 3_600_000
  t.match(health.read().failing, { destinations: 2 })
  clock.setBy = -3_600_000
  clock.now += 60_001
  t.equal(health.read().failing, null)
})

t.test('a failure that may end by itself is told from the second one on, and is partial for a while, or while others are delivered', async t => {
  let now = 0
  const health = createForwarderHealth({ now: () => now, monotonicNow: () => now, forgetMs: 60_000 })
  const unreachable = { class: 'unavailable', name: 'ECONNREFUSED', message: 'connect ECONNREFUSED' } as const
  health.failed('a', unreachable)
  t.equal(health.read().failing, null)
  health.failed('b', unreachable)
  t.match(health.read().failing, { destination: 'a', class: 'unreachable', destinations: 2, partial: true })
  now = 5_000
  health.failed('a', { class: 'throttle', name: 'ThrottlingException', message: 'Rate exceeded' })
  t.match(health.read().failing, { destination: 'a', class: 'throttled', partial: true }, 'who throttles answers')
  health.failed('a', unreachable)
  t.match(health.read().failing, { class: 'unreachable', partial: false })
  health.answered('c')
  t.equal(health.read().failing, null, 'a delivery begins the count anew')
  health.failed('a', unreachable)
  health.failed('a', unreachable)
  t.match(health.read().failing, { destination: 'a', partial: true })
})
