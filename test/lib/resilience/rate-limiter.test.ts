import { PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import t from 'tap'
import { classifyFailure } from '../../../lib/resilience/failure.js'
import { BURST_SECONDS, CUBIC, FLOOR_TPS, LocalRateLimiter, cubicRate } from '../../../lib/resilience/rate-limiter.js'
import { startCloud } from '../../helpers/delivery.js'

const never = new AbortController().signal

/** Counts what a rate limiter lets through in the given time. */
async function countFor (ms: number, rateLimiter: LocalRateLimiter): Promise<number> {
  const timeout = AbortSignal.timeout(ms)
  let calls = 0
  for (;;) {
    try {
      await rateLimiter.acquire(timeout)
      calls++
    } catch {
      return calls
    }
  }
}

t.test('a throttle cuts the rate, time raises it to the last maximum and then beyond, up to the cap', async t => {
  const rate = (seconds: number): number => cubicRate(50, seconds * 1_000, 500)
  t.equal(Math.round(rate(0)), 50 * CUBIC.BETA)
  t.ok(rate(1) > rate(0))
  t.ok(rate(3) > 45 && rate(3) < 55, 'it lingers near the last maximum')
  t.ok(rate(10) > 90, 'and leaves it when nothing happens')
  t.equal(rate(60), 500)
  t.equal(cubicRate(0.001, 0, 500), FLOOR_TPS)
})

t.test('without a throttle, calls pass at the cap', async t => {
  const startedAt = performance.now()
  const calls = await countFor(1_000, new LocalRateLimiter({ cap: 100, now: () => performance.now() }))
  const possible = (performance.now() - startedAt) / 1_000 * 100 + 100 * BURST_SECONDS + 5
  t.ok(calls > 30 && calls <= possible, `${calls} calls of ${possible}`)
})

t.test('throttles that come together cut once', async t => {
  let now = 1_000_000
  const rateLimiter = new LocalRateLimiter({ cap: 100, now: () => now })
  for (let i = 0; i < 50; i++) rateLimiter.countCall()
  rateLimiter.throttled()
  const cut = rateLimiter.rate
  t.equal(Math.round(cut), 35, 'from what was measured, not from the cap')
  rateLimiter.throttled()
  rateLimiter.throttled()
  t.equal(rateLimiter.rate, cut)
  now += 300
  rateLimiter.throttled()
  t.ok(rateLimiter.rate < cut)
})

t.test('the Retry-After of the server holds every call back', async t => {
  const rateLimiter = new LocalRateLimiter({ cap: 1_000, now: () => performance.now() })
  rateLimiter.throttled(300)
  const startedAt = performance.now()
  await rateLimiter.acquire(never)
  t.ok(performance.now() - startedAt > 250)
})

t.test('whoever waits can be aborted', async t => {
  const rateLimiter = new LocalRateLimiter({ cap: 1_000, now: () => performance.now() })
  rateLimiter.throttled(10_000)
  await t.rejects(rateLimiter.acquire(AbortSignal.timeout(20)), { name: 'AbortError' })
  await t.rejects(rateLimiter.acquire(AbortSignal.abort()), { name: 'AbortError' })
})

t.test('it finds the limit of an account that is shared with others, and stays near it', async t => {
  const { sandbox, cloudwatch } = await startCloud(t)
  sandbox.faults.set({ rateLimit: { action: 'PutMetricData', perSecond: 20 } })
  const rateLimiter = new LocalRateLimiter({ cap: 500, now: () => performance.now() })
  const callFor = async (ms: number): Promise<{ taken: number, throttled: number }> => {
    const counts = { taken: 0, throttled: 0 }
    const timeout = AbortSignal.timeout(ms)
    const call = async (): Promise<void> => {
      while (!timeout.aborted) {
        await rateLimiter.acquire(never)
        try {
          await cloudwatch.send(new PutMetricDataCommand({
            Namespace: 'App', MetricData: [{ MetricName: 'm', Value: 1 }]
          }))
          counts.taken++
          rateLimiter.succeeded()
        } catch (error) {
          t.equal(classifyFailure(error).class, 'throttle')
          counts.throttled++
          rateLimiter.throttled()
        }
      }
    }
    await Promise.all([call(), call()])
    return counts
  }
  await callFor(1_500)
  const { taken, throttled } = await callFor(3_500)
  t.ok(taken > 20, `${taken} calls taken of 70 possible`)
  t.ok(throttled < taken / 2, `${throttled} calls throttled`)
})
