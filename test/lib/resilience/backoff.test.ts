import t from 'tap'
import { DEFAULT_BACKOFF, backoffMs } from '../../../lib/resilience/backoff.js'

const lowest = (): number => 0
const highest = (): number => 1 - Number.EPSILON

t.test('the range doubles with each attempt up to the cap, and never falls below the floor', async t => {
  const range = (attempt: number): [number, number] => [
    backoffMs({ class: 'throttle' }, attempt, DEFAULT_BACKOFF, lowest),
    backoffMs({ class: 'throttle' }, attempt, DEFAULT_BACKOFF, highest)
  ]
  t.same(range(0), [100, 200])
  t.same(range(1), [100, 400])
  t.same(range(4), [100, 3_200])
  t.same(range(10), [100, 30_000])
  t.same(range(5_000), [100, 30_000], 'however long it takes')
})

t.test('what is denied is tried again slowly from the first time on', async t => {
  t.equal(backoffMs({ class: 'denied' }, 0, DEFAULT_BACKOFF, lowest), 15_000)
  t.equal(backoffMs({ class: 'denied' }, 9, DEFAULT_BACKOFF, highest), 60_000)
})

t.test('a conflict is tried again soon', async t => {
  t.ok(backoffMs({ class: 'conflict' }, 0, DEFAULT_BACKOFF, highest) <= 100)
})

t.test('the Retry-After of the server is the shortest wait, spread so that not all callers return at once', async t => {
  const hinted = (random: () => number): number =>
    backoffMs({ class: 'unavailable', retryAfterMs: 10_000 }, 20, DEFAULT_BACKOFF, random)
  t.equal(hinted(lowest), 10_100)
  t.equal(hinted(highest), 20_000)
  t.ok(backoffMs({ class: 'unavailable', retryAfterMs: 1e12 }, 0, DEFAULT_BACKOFF, lowest) < 600_000, 'within reason')
})
