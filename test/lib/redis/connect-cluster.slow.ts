import t from 'tap'
import { GatewayCluster } from '../../../lib/redis/gateway-cluster.js'
import { isSharded, sendAll } from '../../../lib/redis/redis-client.js'
import { publish, subscribe } from '../../../lib/redis/subscribe.js'
import { startRedisCluster } from '../../../tools/shared/redis-cluster.js'
import type { RedisServer } from '../../../tools/shared/redis.js'
import { eventually } from '../../helpers/app.js'
import { connectTo, refusalOf } from '../../helpers/redis-forms.js'
import { askServer, startServer } from '../../helpers/redis-server.js'

const SLOTS = 16_384
const PASSWORD = 'hidden-password'

t.test('a cluster, also behind one address', async t => {
  const servers = await startRedisCluster({ replicas: 1 })
  t.teardown(() => servers.stop())
  const [first] = servers.masters as [RedisServer]
  const replicaUrl = servers.replicas[0]!.url
  for (const url of [servers.url, first.url, replicaUrl]) {
    const redis = await connectTo(t, url)
    t.type(redis, GatewayCluster, url)
    t.same(await sendAll(redis, Array.from({ length: 20 }, (_, i) => ['set', `key ${i}`, i])), Array(20).fill('OK'))
    const values = await sendAll(redis, Array.from({ length: 20 }, (_, i) => ['get', `key ${i}`]))
    t.same(values, Array.from({ length: 20 }, (_, i) => String(i)))
    t.equal(isSharded(redis), true)
  }

  await t.test('a database is refused', async t => {
    t.match(await refusalOf(`${first.url}/1`), /the database 0 alone/)
    t.match(await refusalOf(`${servers.url}/1`), /the database 0 alone/)
  })

  await t.test('a node that refuses the password is named, and no password is shown', async t => {
    const guarded = servers.masters[1]!
    await askServer(guarded, redis => redis.config('SET', 'requirepass', 'another-password'))
    const message = await refusalOf(servers.url.replace('://', `://:${PASSWORD}@`))
    t.match(message, new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: WRONGPASS`))
    t.notMatch(message, PASSWORD)
    const unnamed = new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: NOAUTH`)
    t.match(await refusalOf(first.url), unnamed, 'one that the address does not name, too')
    const url = guarded.url.replace('://', '://:another-password@')
    await askServer({ url }, redis => redis.config('SET', 'requirepass', ''))
    await askServer(guarded, redis => redis.call('ACL', 'SETUSER', 'default', '-ping'))
    const denied = new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: NOPERM`)
    t.match(await refusalOf(first.url), denied, 'one whose user may not ask, too')
    await askServer(guarded, redis => redis.call('ACL', 'SETUSER', 'default', '+ping'))
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

    // One that hangs tells nobody that it is the master no more.
    const hanging = servers.replicas[0]!.pid()
    t.teardown(() => process.kill(hanging, 'SIGCONT'))
    process.kill(hanging, 'SIGSTOP')
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
  t.match(await refusalOf(node.url), /no node has 16384 of the 16384 slots/)
  await askServer(node, redis => redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS - 10 }, (_, slot) => slot)))
  t.match(await refusalOf(node.url), /no node has 10 of the 16384 slots/)
})
