import { Redis } from 'ioredis'
import t from 'tap'
import { connectRedis } from '../../../lib/redis/connect.js'
import { readRedisUrl } from '../../../lib/redis/redis-address.js'
import { publish, subscribe } from '../../../lib/redis/subscribe.js'
import { startRedisSentinels } from '../../../tools/shared/redis-sentinels.js'
import type { RedisServer } from '../../../tools/shared/redis.js'
import { eventually } from '../../helpers/app.js'
import { connectTo, refusalOf } from '../../helpers/redis-forms.js'
import { askServer } from '../../helpers/redis-server.js'

const PASSWORD = 'sentinel-password'

t.test('Sentinels', async t => {
  const sentinels = await startRedisSentinels({ sentinels: 3, replicas: 1, password: PASSWORD })
  t.teardown(() => sentinels.stop())
  const warnings: string[] = []
  await t.test('what is wrong is named', async t => {
    const denied = await refusalOf(sentinels.url, 'hidden-wrong-password')
    t.match(denied, /no Sentinel answers \(REDIS_SENTINEL_PASSWORD\): .*WRONGPASS/)
    t.notMatch(denied, 'hidden-wrong-password')
    t.match(await refusalOf(`${sentinels.url}2`, PASSWORD), /knows no master of the name that REDIS_URL ends with/)
    const url = sentinels.url.replace('+sentinel', '').replace(/,.*/, '').replace('://', `://:${PASSWORD}@`)
    t.match(await refusalOf(url), /it is a Sentinel: REDIS_URL has to be redis\+sentinel:/)
  })

  const redis = await connectRedis(readRedisUrl(sentinels.url)!, {
    sentinelPassword: PASSWORD, onWarning: warning => warnings.push(warning)
  })
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
    // One that hangs tells nobody that it is the master no more.
    const hanging = sentinels.primary.pid()
    t.teardown(() => process.kill(hanging, 'SIGCONT'))
    process.kill(hanging, 'SIGSTOP')
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
