import t from 'tap'
import { CircuitBreaker } from '../../../lib/resilience/circuit-breaker.js'

function open () {
  const clock = { now: 1_000_000 }
  return { clock, breaker: new CircuitBreaker({ failures: 3, openMs: 10_000, now: () => clock.now }) }
}

function fail (breaker: CircuitBreaker, times: number): void {
  for (let time = 0; time < times; time++) breaker.failed()
}

t.test('so many failures in a row keep calls away, and a success between them does not', async t => {
  const { breaker } = open()
  fail(breaker, 2)
  breaker.succeeded()
  fail(breaker, 2)
  t.equal(breaker.allows(), true)
  breaker.failed()
  t.equal(breaker.allows(), false)
})

t.test('after a while one call may see, and the others wait for what it says', async t => {
  const { breaker, clock } = open()
  fail(breaker, 3)
  clock.now += 9_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.strictSame([breaker.allows(), breaker.allows()], [true, false])
  breaker.succeeded()
  t.strictSame([breaker.allows(), breaker.allows()], [true, true])
})

t.test('a probe that fails keeps calls away for as long again', async t => {
  const { breaker, clock } = open()
  fail(breaker, 3)
  clock.now += 10_000
  breaker.allows()
  breaker.failed()
  clock.now += 9_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.equal(breaker.allows(), true)
})

t.test('a probe that never reports does not keep calls away for ever', async t => {
  const { breaker, clock } = open()
  fail(breaker, 3)
  clock.now += 10_000
  t.equal(breaker.allows(), true)
  clock.now += 9_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.equal(breaker.allows(), true)
})

t.test('a hint of the platform holds at the first failure, and a longer one beyond the usual pause', async t => {
  const { breaker, clock } = open()
  breaker.failed(2_000)
  t.equal(breaker.allows(), false)
  clock.now += 2_000
  t.equal(breaker.allows(), true)
  fail(breaker, 1)
  breaker.failed(60_000)
  clock.now += 59_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.equal(breaker.allows(), true)
})
