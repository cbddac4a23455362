import t from 'tap'
import type { RedisServer } from '../../tools/shared/redis.js'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../tools/shared/redis-sentinels.js'
import { eventually, startGateway } from '../helpers/app.js'
import { restrict } from '../helpers/redis-forms.js'

interface Servers {
  url: string
  replicas: RedisServer[]
  stop (): Promise<void>
}

/** Their user may do no more than docs/operations.md says. */
const FORMS: Record<string, () => Promise<Servers>> = {
  async 'a cluster' () {
    const servers = await startRedisCluster({ masters: 3, replicas: 1 })
    return { ...servers, url: await restrict(servers.url, [...servers.masters, ...servers.replicas], { always: true }) }
  },
  async Sentinel () {
    const servers = await startRedisSentinels({ sentinels: 1, replicas: 1, downAfterMs: 60_000 })
    return { ...servers, url: await restrict(servers.url, [servers.primary, ...servers.replicas], { always: true }) }
  }
}

for (const [form, start] of Object.entries(FORMS)) {
  t.test(`SPOOL_SYNC=always on ${form}: 503 while no replica confirms, and not ready when there is none`, async t => {
    const servers = await start()
    t.teardown(() => servers.stop())
    const gateway = await startGateway(t, { REDIS_URL: servers.url, SPOOL_SYNC: 'always' })
    const headers = { authorization: `Bearer ${await gateway.token()}` }
    const send = async (): Promise<number> => {
      const body = { logGroupName: '/confirmed', logStreamName: 's', logEvents: [{ message: 'm' }] }
      const answer = await gateway.post('/logEvents', body, headers)
      if (answer.status === 503) t.match(await answer.json(), { error: { code: 161 } })
      return answer.status
    }
    const ready = async (): Promise<number> => (await fetch(`${gateway.url}/health/ready`)).status

    t.equal(await send(), 201)
    for (const { pid } of servers.replicas) process.kill(pid(), 'SIGSTOP')
    t.equal(await send(), 503)
    for (const { pid } of servers.replicas) process.kill(pid(), 'SIGCONT')
    await eventually(async () => await send() === 201 ? true : undefined)
    t.equal(await ready(), 200)

    for (const replica of servers.replicas) await replica.kill()
    await eventually(async () => await ready() === 503 ? true : undefined)
    t.equal(await send(), 503)
  })
}
