import t from 'tap'
import { CircuitBreaker } from '../../../lib/resilience/circuit-breaker.js'

function open () {
  const clock = { now: 1_000_000 }
  return { clock, breaker: new CircuitBreaker({ failureThreshold: 3, openDurationMs: 10_000, now: () => clock.now }) }
}

function fail (breaker: CircuitBreaker, times: number): void {
  for (let time = 0; time < times; time++) breaker.failed()
}

t.test('so many failures in a row open it, and fewer between successes do not', async t => {
  const { breaker } = open()
  fail(breaker, 2)
  breaker.succeeded()
  fail(breaker, 2)
  t.equal(breaker.allows(), true)
  breaker.failed()
  t.equal(breaker.allows(), false)
})

t.test('after its open time one call is the probe, and the others wait for its outcome', async t => {
  const { breaker, clock } = open()
  fail(breaker, 3)
  clock.now += 9_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.strictSame([breaker.allows(), breaker.allows()], [true, false])
  breaker.succeeded()
  t.strictSame([breaker.allows(), breaker.allows()], [true, true])
})

t.test('a probe that fails opens it for as long again', async t => {
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

t.test('a probe that never reports does not keep it open for ever', async t => {
  const { breaker, clock } = open()
  fail(breaker, 3)
  clock.now += 10_000
  t.equal(breaker.allows(), true)
  clock.now += 9_999
  t.equal(breaker.allows(), false)
  clock.now += 1
  t.equal(breaker.allows(), true)
})

t.test('a Retry-After opens it at the first failure, and a longer one for longer than its open time', async t => {
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
