import t from 'tap'
import { LocalRateLimiter, type RateLimiter } from '../../../lib/resilience/rate-limiter.js'
import { RemoteRateLimiter, serveRateLimiters } from '../../../lib/resilience/remote-rate-limiter.js'
import { channelPair } from '../../helpers/channel-pair.js'

function remoteOf (limiter: RateLimiter) {
  const [near, far] = channelPair()
  serveRateLimiters(near, { PutMetricData: limiter })
  return { near, remote: new RemoteRateLimiter(far, 'PutMetricData') }
}

t.test('calls of another process pass the limiter of this one, and its throttles slow both', async t => {
  const told: unknown[] = []
  const local = new LocalRateLimiter({ cap: 1_000, now: () => performance.now() })
  const { remote } = remoteOf({
    acquire: signal => local.acquire(signal),
    succeeded: () => told.push('succeeded'),
    throttled: retryAfterMs => told.push(['throttled', retryAfterMs])
  })
  await remote.acquire(new AbortController().signal)
  remote.succeeded()
  remote.throttled(70)
  await remote.acquire(new AbortController().signal)
  t.same(told, ['succeeded', ['throttled', 70]])
})

t.test('whoever waits may give up', async t => {
  const { near, remote } = remoteOf({ acquire: () => new Promise(() => {}), succeeded () {}, throttled () {} })
  const aborted = new AbortController()
  const waiting = remote.acquire(aborted.signal)
  aborted.abort()
  await t.rejects(waiting, { name: 'AbortError' })
  await t.rejects(remote.acquire(aborted.signal), { name: 'AbortError' })
  near.close()
})
