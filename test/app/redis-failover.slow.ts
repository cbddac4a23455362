import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openEndpoint, type Endpoint } from '../helpers/endpoint.js'
import { eventually, startGateway, type Gateway } from '../helpers/app.js'
import { askServer, startServer } from '../helpers/redis-server.js'
import type { RedisServer } from '../../tools/shared/redis.js'

const GROUP = '/failover'
const SENDERS = 4

interface Pair {
  primary: RedisServer
  replica: RedisServer
  endpoint: Endpoint
}

const replicaOf = (t: Test, { port }: RedisServer): Promise<RedisServer> =>
  startServer(t, { args: ['--replicaof', '127.0.0.1', String(port), '--repl-diskless-sync-delay', '0'] })

const hasReplica = (primary: RedisServer): Promise<true> => eventually(async () =>
  await askServer(primary, async redis =>
    /slave0:.*state=online/.test(await redis.info('replication')) ? true : undefined))

async function startPair (t: Test): Promise<Pair> {
  const primary = await startServer(t, { args: ['--repl-diskless-sync-delay', '0'] })
  const replica = await replicaOf(t, primary)
  await hasReplica(primary)
  const endpoint = await openEndpoint(primary.port)
  t.teardown(() => endpoint.close())
  return { primary, replica, endpoint }
}

/** Sends numbered events until it is stopped; notes those that were answered 201. */
async function sendSteadily ({ post, token }: Gateway) {
  const accepted: string[] = []
  const headers = { authorization: `Bearer ${await token()}` }
  const stopping = new AbortController()
  const sending = Promise.all(Array.from({ length: SENDERS }, async (_, sender) => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      const message = `${sender}.${i}`
      const body = { logGroupName: GROUP, logStreamName: `s${i % 3}`, logEvents: [{ message }] }
      const { status } = await post('/logEvents', body, headers)
      if (status === 201) accepted.push(message)
      else await sleep(20)
    }
  }))
  return {
    accepted,
    stop: async () => {
      stopping.abort()
      await sending
    }
  }
}

const FAILOVERS: Record<string, (t: Test, pair: Pair) => Promise<void>> = {
  async 'the primary dies and its replica takes its place' (t, { primary, replica, endpoint }) {
    await primary.kill()
    await askServer(replica, redis => redis.replicaof('NO', 'ONE'))
    endpoint.moveTo(replica.port)
    await replicaOf(t, replica)
  },
  async 'the primary becomes the replica of its replica, and keeps its connections' (_t, pair) {
    const { primary, replica, endpoint } = pair
    await askServer(primary, redis => redis.call('FAILOVER', 'TO', '127.0.0.1', String(replica.port)))
    await hasReplica(replica)
    endpoint.moveTo(replica.port)
  }
}

for (const [what, failOver] of Object.entries(FAILOVERS)) {
  t.test(`nothing that was answered is lost when ${what}`, async t => {
    const pair = await startPair(t)
    const gateway = await startGateway(t, {
      REDIS_URL: `redis://127.0.0.1:${pair.endpoint.port}`,
      REDIS_PREFIX: randomUUID(),
      SPOOL_SYNC: 'always',
      LEASE_MS: '2000'
    })
    const { accepted, stop } = await sendSteadily(gateway)
    await eventually(() => accepted.length >= 200 ? true : undefined)
    await failOver(t, pair)
    const before = accepted.length
    await eventually(() => accepted.length >= before + 200 ? true : undefined)
    await stop()

    await eventually(async () => (await gateway.app.spool.ledger()).inSpool === 0 ? true : undefined)
    const delivered = new Set([...gateway.sandbox.items(GROUP)].map(({ message }) => message))
    t.same(accepted.filter(message => !delivered.has(message)), [])
    t.equal((await fetch(`${gateway.url}/health/ready`)).status, 200)
  })
}
