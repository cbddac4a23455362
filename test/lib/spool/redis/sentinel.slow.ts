import t from 'tap'
import { openRedisSpool } from '../../../../lib/spool/redis/redis-spool.js'
import { startRedisSentinels } from '../../../../tools/shared/redis-sentinels.js'
import { eventually } from '../../../helpers/app.js'
import { connectTo } from '../../../helpers/redis-forms.js'
import { append, drain, record, spoolOptions } from '../contract.js'

const sentinels = await startRedisSentinels({
  sentinels: 1, replicas: 1, args: ['--appendonly', 'yes', '--appendfsync', 'always']
})
t.teardown(() => sentinels.stop())
const redis = await connectTo(t, sentinels.url)

/** Sentinels tell an old master that lives on only after eight seconds that it is a replica. */
const LEFT_WITHIN_MS = 6_000

t.test('a replica that is away when the spool is opened has to confirm all the same, as it may take over', async t => {
  const [replica] = sentinels.replicas
  await replica!.kill()
  const spool = await openRedisSpool({ ...spoolOptions(), redis, shards: 1, prefix: 'alone', sync: 'always' })
  t.teardown(() => spool.close())
  await t.rejects(append(spool, 'd', record('a')), {
    name: 'SpoolUnavailableError', message: /no replica has confirmed/
  })
  await replica!.restart()
  await t.resolves(eventually(() => append(spool, 'd', record('b')).then(() => true, () => undefined)))
})

t.test('nothing that a replica has confirmed is lost when it becomes the master', async t => {
  const spool = await openRedisSpool({ ...spoolOptions(), redis, shards: 2, sync: 'always' })
  t.teardown(() => spool.close())
  for (let i = 0; i < 20; i++) await append(spool, `d${i % 5}`, record(i))
  await sentinels.failOver()
  const replacedAt = performance.now()
  const port = `tcp_port:${await sentinels.masterPort()}`
  await eventually(async () => (await redis.info('server').catch(() => '')).includes(port) ? true : undefined)
  t.ok(performance.now() - replacedAt < LEFT_WITHIN_MS, 'the old master, which lives on, was left')
  await eventually(() => append(spool, 'd', record('after')).then(() => true, () => undefined))
  const found = new Set(await drain(spool))
  t.same([...Array(20).keys(), 'after'].filter(name => !found.has(name)), [])
})
