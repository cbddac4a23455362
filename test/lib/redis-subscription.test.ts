import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import t from 'tap'
import { subscribe } from '../../lib/redis-subscription.js'
import { eventually, redisEnvironment, type Teardown } from '../helpers/app.js'

/** As the gateway's own connection. */
const OPTIONS = { enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, retryStrategy: () => 10 }

/** Leads to a Redis, and breaks connections at the moment they ask to subscribe, as long as `breaks` says so. */
async function openBreaking (t: Teardown, url: string) {
  const { hostname, port } = new URL(url)
  const clients = new Set<Socket>()
  const state = { breaks: (_attempt: number) => false, attempts: 0 }
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    clients.add(client)
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) socket.on('error', () => {}).on('close', () => other.destroy())
    client.on('data', data => {
      if (data.includes('subscribe') && state.breaks(++state.attempts)) client.destroy()
      else upstream.write(data)
    })
    upstream.pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    attempts: () => state.attempts,
    breakWhile (breaks: (attempt: number) => boolean) { state.breaks = breaks },
    cut () { for (const client of clients) client.destroy() }
  }
}

t.test('a connection that breaks again while it subscribes is followed by one that listens', async t => {
  const { REDIS_URL } = await redisEnvironment(t)
  const breaking = await openBreaking(t, REDIS_URL!)
  const channel = `test-${process.pid}`
  const publisher = new Redis(REDIS_URL!)
  const redis = new Redis(breaking.url, OPTIONS)
  redis.on('error', () => {})
  const heard: string[] = []
  const { listening, close } = subscribe(redis, channel, message => heard.push(message))
  t.teardown(() => {
    for (const client of [publisher, redis]) client.disconnect()
    close()
  })
  await listening
  t.equal(await publisher.publish(channel, 'first'), 1)

  breaking.breakWhile(attempt => attempt < 5)
  breaking.cut()
  await eventually(() => breaking.attempts() === 5 || undefined)
  await eventually(async () => await publisher.publish(channel, 'second') === 1 || undefined)
  await eventually(() => heard.includes('second') || undefined)
})

t.test('who cannot listen at all is told', async t => {
  const { REDIS_URL } = await redisEnvironment(t)
  const breaking = await openBreaking(t, REDIS_URL!)
  breaking.breakWhile(() => true)
  const redis = new Redis(breaking.url, { ...OPTIONS, lazyConnect: true })
  redis.on('error', () => {})
  const { listening, close } = subscribe(redis, 'none', () => {})
  t.teardown(() => {
    redis.disconnect()
    close()
  })
  await t.rejects(listening)
})
