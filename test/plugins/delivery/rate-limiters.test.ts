import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import rateLimiters from '../../../plugins/delivery/rate-limiters.js'
import { useWallClock } from '../../helpers/wall-clock.js'

t.test('a wall clock that is set neither ends nor lengthens the wait that CloudWatch asks for', async t => {
  const wallClock = useWallClock(t)
  for (const setBy of [3_600_000, -3_600_000]) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(fp(async () => {}, { name: 'config' }))
    app.register(fp(async () => {}, { name: 'redis' }))
    app.register(fp(async () => {}, { name: 'processes' }))
    app.decorate('config', {} as typeof app.config)
    app.decorate('processes', { role: 'single' } as never)
    app.register(rateLimiters)
    await app.ready()
    const { PutMetricData } = app.rateLimiters
    const startedAt = performance.now()
    PutMetricData.throttled(500)
    wallClock.set(setBy)
    await PutMetricData.acquire(AbortSignal.timeout(10_000))
    const waitedMs = performance.now() - startedAt
    t.ok(waitedMs > 450 && waitedMs < 9_000, `${waitedMs} ms after the clock was set by ${setBy} ms`)
  }
})
