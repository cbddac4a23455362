import { Redis } from 'ioredis'
import t from 'tap'
import { subscribe } from '../../../lib/redis/subscribe.js'
import { eventually } from '../../helpers/app.js'
import type { Teardown } from '../../helpers/teardown.js'
import { openEndpoint } from '../../helpers/endpoint.js'
import { startRedis } from '../../../tools/shared/redis.js'

/** As the gateway's own connection. */
const OPTIONS = {
  enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, retryStrategy: () => 10
}

/**
 * Leads to a Redis of its own, and breaks connections at the moment they ask to subscribe, as long as `breaks` says so.
 */
async function openBreaking (t: Teardown) {
  const redis = await startRedis()
  const subscribing = { attempts: 0, breaks: (_attempt: number) => false }
  const endpoint = await openEndpoint(redis.port, {
    breaks: sent => sent.includes('subscribe') && subscribing.breaks(++subscribing.attempts)
  })
  t.teardown(async () => {
    await endpoint.close()
    await redis.stop()
  })
  return { redis, url: `redis://127.0.0.1:${endpoint.port}`, cut: endpoint.cut, subscribing }
}

t.test('a connection that breaks again while it subscribes is followed by one that listens', async t => {
  const { redis: server, url, cut, subscribing } = await openBreaking(t)
  const channel = `test-${process.pid}`
  const publisher = new Redis(server.url)
  const redis = new Redis(url, OPTIONS)
  redis.on('error', () => {})
  const heard: string[] = []
  const { listening, close } = subscribe(redis, [channel], message => heard.push(message))
  t.teardown(() => {
    for (const client of [publisher, redis]) client.disconnect()
    close()
  })
  await listening
  t.equal(await publisher.publish(channel, 'first'), 1)

  subscribing.breaks = attempt => attempt < 5
  cut()
  await eventually(() => subscribing.attempts === 5 || undefined)
  await eventually(async () => await publisher.publish(channel, 'second') === 1 || undefined)
  await eventually(() => heard.includes('second') || undefined)
})

t.test('a subscription that can never listen rejects', async t => {
  const { url, subscribing } = await openBreaking(t)
  subscribing.breaks = () => true
  const redis = new Redis(url, { ...OPTIONS, lazyConnect: true })
  redis.on('error', () => {})
  const { listening, close } = subscribe(redis, ['none'], () => {})
  t.teardown(() => {
    redis.disconnect()
    close()
  })
  await t.rejects(listening)
})
