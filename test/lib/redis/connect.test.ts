import t from 'tap'
import { Redis } from 'ioredis'
import { connectRedis } from '../../../lib/redis/connect.js'
import { readRedisUrl } from '../../../lib/redis/redis-address.js'
import { GatewayCluster } from '../../../lib/redis/gateway-cluster.js'
import { isSharded, sendAll } from '../../../lib/redis/redis-client.js'
import { publish, subscribe } from '../../../lib/redis/subscribe.js'
import { findPort } from '../../../tools/shared/ports.js'
import { startRedisCluster } from '../../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../../tools/shared/redis-sentinels.js'
import type { RedisServer } from '../../../tools/shared/redis.js'
import { eventually } from '../../helpers/app.js'
import { connectTo } from '../../helpers/redis-forms.js'
import { askServer, startServer } from '../../helpers/redis-server.js'

const SLOTS = 16_384
const PASSWORD = 'hidden-password'

/** What the operator is told. */
async function refused (url: string): Promise<string> {
  const redis = await connectRedis(readRedisUrl(url)!, { onWarning: () => {} }).catch((error: Error) => error)
  if (!(redis instanceof Error)) redis.disconnect()
  if (!(redis instanceof Error) || redis.name !== 'ConfigurationError') throw new Error(`${url} was not refused: ${redis instanceof Error ? redis.stack : ''}`)
  return redis.message
}

const namesSetting = /^Redis at rediss?(\+sentinel)?:\/\/[^@]+ cannot be used: .*REDIS_URL/s

t.test('what is no single primary is refused, and says what it is', async t => {
  const primary = await startServer(t)
  const replica = await startServer(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const cases: Array<[what: string, url: string, told: RegExp]> = [
    ['a replica', replica.url, /it is a replica/],
    ['a node of no cluster among several', `redis://127.0.0.1:${primary.port},127.0.0.1:${replica.port}`, /127\.0\.0\.1:\d+ is no node of a cluster/],
    ['nobody', `redis://127.0.0.1:${await findPort()},127.0.0.1:${await findPort()}`, /none of its nodes can be reached/],
    ['no Sentinel', `redis+sentinel://127.0.0.1:${await findPort()}/main`, /no Sentinel answers.*ECONNREFUSED/],
    ['TLS where there is none', primary.url.replace('redis:', 'rediss:'), /cannot be used/]
  ]
  for (const [what, url, told] of cases) {
    const message = await refused(url)
    t.match(message, told, what)
    t.match(message, namesSetting, what)
  }
})

t.test('a cluster, also behind one address', async t => {
  const servers = await startRedisCluster({ replicas: 1 })
  t.teardown(() => servers.stop())
  const [first] = servers.masters as [RedisServer]
  const replicaUrl = servers.replicas[0]!.url
  for (const url of [servers.url, first.url, replicaUrl]) {
    const redis = await connectTo(t, url)
    t.type(redis, GatewayCluster, url)
    t.same(await sendAll(redis, Array.from({ length: 20 }, (_, i) => ['set', `key ${i}`, i])), Array(20).fill('OK'))
    t.same(await sendAll(redis, Array.from({ length: 20 }, (_, i) => ['get', `key ${i}`])), Array.from({ length: 20 }, (_, i) => String(i)))
    t.equal(isSharded(redis), true)
  }

  await t.test('a database is refused', async t => {
    t.match(await refused(`${first.url}/1`), /the database 0 alone/)
    t.match(await refused(`${servers.url}/1`), /the database 0 alone/)
  })

  await t.test('a node that refuses the password is named, and no password is shown', async t => {
    const guarded = servers.masters[1]!
    await askServer(guarded, redis => redis.config('SET', 'requirepass', 'another-password'))
    const message = await refused(servers.url.replace('://', `://:${PASSWORD}@`))
    t.match(message, new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: WRONGPASS`))
    t.notMatch(message, PASSWORD)
    t.match(await refused(first.url), new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: NOAUTH`), 'one that the address does not name, too')
    await askServer({ ...guarded, url: guarded.url.replace('://', '://:another-password@') }, redis => redis.config('SET', 'requirepass', ''))
  })

  await t.test('messages reach whoever listens, whatever their slot, also after a replica has taken over', async t => {
    const [one, other] = [await connectTo(t, servers.url), await connectTo(t, first.url)]
    const channels = ['a', 'b', 'c', 'd', 'e']
    const heard = new Set<string>()
    const { listening, close } = subscribe(one, channels, message => heard.add(message))
    t.teardown(close)
    await listening
    const tellAll = async (): Promise<true | undefined> => {
      heard.clear()
      await Promise.all(channels.map(channel => publish(other, channel, channel).catch(() => {})))
      return await eventually(() => heard.size === channels.length ? true : undefined, 200).catch(() => undefined)
    }
    t.equal(await eventually(tellAll), true)
    for (const replica of servers.replicas) await askServer(replica, redis => redis.cluster('FAILOVER'))
    t.equal(await eventually(tellAll), true)
  })

  await t.test('commands fail at once while the cluster is away, and work again when it is back', async t => {
    const redis = await connectTo(t, servers.url)
    for (const node of [...servers.replicas, ...servers.masters]) await node.kill()
    await eventually(() => redis.status === 'ready' ? redis.get('key 1').then(() => undefined, () => undefined) : true)
    const startedAt = performance.now()
    await t.rejects(redis.get('key 1'))
    await t.rejects(sendAll(redis, [['get', 'key 1'], ['get', 'key 2']]))
    t.ok(performance.now() - startedAt < 500)
    for (const node of [...servers.masters, ...servers.replicas]) await node.restart()
    await eventually(() => redis.set('key 1', 'again').then(() => true, () => undefined))
    t.equal(await redis.get('key 1'), 'again')
  })
})

t.test('slots that no node has', async t => {
  const node = await startServer(t, { args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
  t.match(await refused(node.url), /no node has 16384 of the 16384 slots/)
  await askServer(node, redis => redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS - 10 }, (_, slot) => slot)))
  t.match(await refused(node.url), /no node has 10 of the 16384 slots/)
})

t.test('a node in cluster mode that does not know its own address is a single node', async t => {
  const node = await startServer(t, { args: ['--cluster-enabled', 'yes'] })
  await askServer(node, async redis => {
    await redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
    await eventually(async () => String(await redis.cluster('INFO')).includes('cluster_state:ok') ? true : undefined)
  })
  const redis = await connectTo(t, node.url)
  t.type(redis, Redis)
  t.same(await sendAll(redis, [['set', 'a', 1], ['set', 'b', 2], ['get', 'a']]), ['OK', 'OK', '1'])
})

t.test('Sentinels', async t => {
  const sentinels = await startRedisSentinels({ sentinels: 3, replicas: 1, password: 'sentinel-password' })
  t.teardown(() => sentinels.stop())
  const warnings: string[] = []
  const connect = (sentinelPassword: string) => connectRedis(readRedisUrl(sentinels.url)!, { sentinelPassword, onWarning: warning => warnings.push(warning) })

  await t.test('what is wrong is named', async t => {
    await t.rejects(connect('hidden-wrong-password'), { name: 'ConfigurationError', message: /no Sentinel answers \(REDIS_SENTINEL_PASSWORD\): .*WRONGPASS/ })
    await t.rejects(connectRedis(readRedisUrl(`${sentinels.url}2`)!, { sentinelPassword: 'sentinel-password', onWarning: () => {} }), { message: /knows no master of the name that REDIS_URL ends with/ })
    await t.rejects(connectRedis(readRedisUrl(sentinels.url.replace('+sentinel', '').replace(/,.*/, ''))!, { onWarning: () => {} }), { name: 'ConfigurationError' })
  })

  const redis = await connect('sentinel-password')
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  t.same(warnings, [])
  await redis.set('key', 'before')

  await t.test('a new master is followed, by those who listen, too', async t => {
    const heard: string[] = []
    const { listening, close } = subscribe(redis, ['channel'], message => heard.push(message))
    t.teardown(close)
    await listening
    await sentinels.failOver()
    const [replica] = sentinels.replicas as [RedisServer]
    t.equal(await sentinels.masterPort(), replica.port)
    await eventually(async () => {
      await redis.set('key', 'after').catch(() => {})
      return await askServer(replica, other => other.get('key')) === 'after' ? true : undefined
    })
    await eventually(async () => {
      await publish(redis, 'channel', 'message').catch(() => {})
      return heard.length > 0 ? true : undefined
    })
    t.pass()
  })
})

t.test('Sentinels without a quorum are taken, and it is said that nobody takes over', async t => {
  const sentinels = await startRedisSentinels({ sentinels: 1, replicas: 0 })
  t.teardown(() => sentinels.stop())
  const [port] = /\d+(?=\/)/.exec(sentinels.url)!
  const sentinel = new Redis(Number(port))
  await sentinel.call('SENTINEL', 'SET', 'main', 'quorum', '2')
  sentinel.disconnect()
  const warnings: string[] = []
  await connectTo(t, sentinels.url, warning => warnings.push(warning))
  t.match(warnings, [/^REDIS_URL: nobody will take over.*NOQUORUM/])
})
