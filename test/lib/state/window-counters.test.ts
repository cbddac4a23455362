import t from 'tap'
import type { StateStore, WindowIncrement } from '../../../lib/state/store.js'
import { StateStoreError } from '../../../lib/state/store.js'
import { WindowCounters } from '../../../lib/state/window-counters.js'
import type { Teardown } from '../../helpers/teardown.js'

/** A store of which only the windows are used. */
function windowStore (now: () => number) {
  const windows = new Map<string, { total: number, endsAt: number }>()
  const store = {
    shared: true,
    away: false,
    async countInWindows (increments: WindowIncrement[]) {
      if (store.away) throw new StateStoreError('away')
      return increments.map(({ key, by, windowMs }) => {
        const known = windows.get(key)
        const window = known !== undefined && known.endsAt > now() ? known : { total: 0, endsAt: now() + windowMs }
        window.total += by
        windows.set(key, window)
        return { total: window.total, endsInMs: window.endsAt - now() }
      })
    }
  }
  return store
}

function startCounters (t: Teardown, store: object, now: () => number): WindowCounters {
  const counters = new WindowCounters(store as StateStore, now)
  t.teardown(() => counters.close())
  return counters
}

t.test('one process counts exactly, in windows that start with their first hit', async t => {
  let now = 1_000
  const counters = startCounters(t, { shared: false }, () => now)
  t.same(counters.hit('a', 100), { count: 1, endsInMs: 100 })
  now += 60
  t.same(counters.hit('a', 100), { count: 2, endsInMs: 40 })
  t.same(counters.hit('b', 100), { count: 1, endsInMs: 100 })
  now += 40
  t.same(counters.hit('a', 100), { count: 1, endsInMs: 100 })
})

t.test('several processes know of each other\'s hits after a sync', async t => {
  let now = 1_000
  const store = windowStore(() => now)
  const [one, two] = [startCounters(t, store, () => now), startCounters(t, store, () => now)]
  for (let i = 0; i < 5; i++) one.hit('a', 1_000)
  for (let i = 0; i < 7; i++) two.hit('a', 1_000)
  t.equal(two.hit('a', 1_000).count, 8, 'not yet')
  await one.sync()
  await two.sync()
  t.equal(two.hit('a', 1_000).count, 14)
  await two.sync()
  one.hit('a', 1_000)
  await one.sync()
  t.equal(one.hit('a', 1_000).count, 16)
  now += 1_001
  t.equal(one.hit('a', 1_000).count, 1, 'the next window')
})

t.test('while the store is away each counts for itself, and nothing is counted twice when it is back', async t => {
  const store = windowStore(() => 1_000)
  const counters = startCounters(t, store, () => 1_000)
  store.away = true
  for (let i = 0; i < 3; i++) {
    counters.hit('a', 1_000)
    await counters.sync()
  }
  t.equal(counters.hit('a', 1_000).count, 4)
  store.away = false
  await counters.sync()
  t.equal(counters.hit('a', 1_000).count, 5)
})

t.test('hits that come while the counts are under way are counted once', async t => {
  const store = windowStore(() => 1_000)
  const counters = startCounters(t, store, () => 1_000)
  counters.hit('a', 1_000)
  const syncing = counters.sync()
  counters.hit('a', 1_000)
  await syncing
  t.equal(counters.hit('a', 1_000).count, 3)
  await counters.sync()
  t.equal(counters.hit('a', 1_000).count, 4)
})

t.test('a window lasts as long as was asked for, whatever another process answers', async t => {
  let now = 0.7
  const store = {
    shared: true, endsInMs: 1e9, async countInWindows () { return [{ total: 1, endsInMs: store.endsInMs }] }
  }
  const counters = startCounters(t, store, () => now)
  t.equal(counters.hit('a', 60_000).endsInMs, 60_000)
  now += 0.1
  t.equal(counters.hit('a', 60_000).endsInMs, 60_000, 'in whole milliseconds')
  await counters.sync()
  t.same(counters.hit('a', 60_000), { count: 2, endsInMs: 60_000 })
  now += 60_000
  t.equal(counters.hit('a', 60_000).count, 1, 'it ends on time')
  store.endsInMs = -2
  await counters.sync()
  t.equal(counters.hit('a', 60_000).count, 1, 'it has ended elsewhere')
})
