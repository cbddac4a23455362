import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { Keys } from '../../lib/spool/redis/keys.js'
import type { HealthDetail } from '../../schemas/health.js'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { eventually, startGateway } from '../helpers/app.js'
import { startFault } from '../helpers/start.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const GROUP = '/cluster'
const SHARDS = 8

const servers = await startRedisCluster({
  args: ['--cluster-require-full-coverage', 'no', '--appendonly', 'yes', '--appendfsync', 'always']
})
t.teardown(() => servers.stop())
const nodes = servers.masters.map(({ url }) => new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null }))
for (const node of nodes) node.on('error', () => {})
t.teardown(() => { for (const node of nodes) node.disconnect() })

const idOf = async (node: Redis): Promise<string> => await node.cluster('MYID') as string

/** The slot of a key, its master, and another one. */
async function placeOf (key: string): Promise<{ slot: number, owner: Redis, other: Redis }> {
  const [first] = nodes as [Redis, ...Redis[]]
  const slot = await first.cluster('KEYSLOT', key)
  const [, , place] = (await first.cluster('SLOTS')).find(([from, to]) => from <= slot && slot <= to)!
  const owner = nodes.find(({ options }) => options.port === place[1])!
  return { slot, owner, other: nodes.find(node => node !== owner)! }
}

/** Ways in which the masters of a cluster may disagree about a slot. Each returns how they agree again. */
const DISAGREEMENTS: Record<string, (key: string) => Promise<() => Promise<unknown>>> = {
  async 'MOVED without end' (key) {
    const { slot, owner, other } = await placeOf(key)
    // A master gives no slot away that has keys, as even an empty shard has counters.
    const keys = await owner.cluster('GETKEYSINSLOT', slot, 10) as string[]
    await owner.multi().del(key, ...keys).cluster('SETSLOT', slot, 'NODE', await idOf(other)).exec()
    return async () => await owner.cluster('SETSLOT', slot, 'NODE', await idOf(owner))
  },
  async 'ASK without end' (key) {
    const { slot, owner, other } = await placeOf(key)
    await owner.cluster('SETSLOT', slot, 'MIGRATING', await idOf(other))
    return async () => await owner.cluster('SETSLOT', slot, 'STABLE')
  },
  async 'a slot that no master serves' (key) {
    const { slot, owner } = await placeOf(key)
    await owner.cluster('DELSLOTS', slot)
    return async () => await owner.cluster('ADDSLOTS', slot)
  }
}

/** A stream of each shard. */
function streamsOf (prefix: string): string[] {
  const keys = new Keys(prefix, SHARDS)
  const streams: string[] = []
  for (let i = 0; streams.filter(Boolean).length < SHARDS; i++) streams[keys.shardOf(`${GROUP}:s${i}`)] ??= `s${i}`
  return streams
}

async function startOnCluster (t: Test) {
  const prefix = `cluster-${randomUUID()}`
  const gateway = await startGateway(t, {
    REDIS_URL: servers.url,
    REDIS_PREFIX: prefix,
    REDIS_SHARDS: String(SHARDS),
    ADMIN_TOKEN,
    // Records whose lease no answer told of, for their master was away, wait for its end.
    LEASE_MS: '2000'
  })
  const headers = { authorization: `Bearer ${await gateway.token()}` }
  const streams = streamsOf(prefix)
  const accepted: string[] = []

  /** @returns the status of an event for this shard */
  async function send (shard: number): Promise<number> {
    const message = randomUUID()
    const body = { logGroupName: GROUP, logStreamName: streams[shard], logEvents: [{ message }] }
    const { status } = await gateway.post('/logEvents', body, headers)
    if (status === 201) accepted.push(message)
    return status
  }

  async function readiness (): Promise<{ status: number, failing: HealthDetail['failing'] }> {
    const { status } = await fetch(`${gateway.url}/health/ready`)
    const authorization = `Bearer ${ADMIN_TOKEN}`
    const answer = await fetch(`${gateway.url}/admin/health`, { headers: { authorization } })
    return { status, failing: (await answer.json() as HealthDetail).failing }
  }

  async function untilWhole (): Promise<void> {
    await eventually(async () => (await readiness()).failing.length === 0 ? true : undefined)
  }

  async function lost (): Promise<string[]> {
    await eventually(async () => (await gateway.app.spool.ledger()).inSpool === 0 ? true : undefined)
    const delivered = new Set([...gateway.sandbox.items(GROUP)].map(({ message }) => message))
    return accepted.filter(message => !delivered.has(message))
  }

  return { prefix, send, readiness, untilWhole, lost }
}

t.test('at run time', async t => {
  const { prefix, send, readiness, untilWhole, lost } = await startOnCluster(t)
  const sendToAll = (): Promise<number[]> => Promise.all(Array.from({ length: SHARDS }, (_, shard) => send(shard)))

  for (const [shard, [what, disagree]] of Object.entries(DISAGREEMENTS).entries()) {
    await t.test(`${what}: 503 for what belongs there, and everything else is served`, async t => {
      const agree = await disagree(`{${prefix}:logs:${shard}}`)
      t.same(await Promise.all([send(shard), send(7)]), [503, 201])
      const { status, failing } = await readiness()
      t.equal(status, 200, 'the gateway stays in service')
      const message = new RegExp(`^127\\.0\\.0\\.1:\\d+ takes nothing of logs:${shard}: .*REDIS_URL`)
      t.match(failing, [{ part: 'spool', partial: true, message }])
      await agree()
      await eventually(async () => await send(shard) === 201 ? true : undefined)
      await untilWhole()
    })
  }

  await t.test('a master that is away takes its own shards away, and readiness names it', async t => {
    const [, , away] = servers.masters
    t.same(await sendToAll(), Array(SHARDS).fill(201))
    await away!.kill()
    const statuses = await sendToAll()
    t.same(new Set(statuses), new Set([201, 503]))
    const refused = statuses.flatMap((status, shard) => status === 503 ? [`logs:${shard}`] : [])
    const { status, failing } = await eventually(async () => {
      const answer = await readiness()
      return answer.failing.length > 0 ? answer : undefined
    })
    t.equal(status, 200)
    t.match(failing, [{ part: 'spool', class: 'unreachable', partial: true }])
    const { message } = failing[0]!
    t.match(message, new RegExp(`^127\\.0\\.0\\.1:${away!.port} takes nothing of [^;]*$`))
    t.same(message.match(/logs:\d+/g), refused, 'its shards are named')
    await away!.restart()
    await eventually(async () => (await sendToAll()).every(status => status === 201) ? true : undefined)
    await untilWhole()
  })

  await t.test('a master that hangs hides nothing of the others', async t => {
    const [, hanging] = servers.masters
    process.kill(hanging!.pid(), 'SIGSTOP')
    const { status, failing } = await eventually(async () => {
      const answer = await readiness()
      return answer.failing.length > 0 ? answer : undefined
    })
    t.equal(status, 200)
    const message = new RegExp(`^127\\.0\\.0\\.1:${hanging!.port} takes nothing of [^;]*no answer within[^;]*$`)
    t.match(failing, [{ part: 'spool', partial: true, message }])
    process.kill(hanging!.pid(), 'SIGCONT')
    await eventually(async () => (await sendToAll()).every(status => status === 201) ? true : undefined)
    await untilWhole()
  })

  t.same(await lost(), [], 'nothing that was answered is lost')

  await t.test('a cluster of which nothing is there is not ready', async t => {
    for (const master of servers.masters) await master.kill()
    await eventually(async () => (await readiness()).status === 503 ? true : undefined)
    t.match((await readiness()).failing, [{ part: 'spool', class: 'unreachable', partial: false }])
    for (const master of servers.masters) await master.restart()
    await untilWhole()
  })
})

t.test('a cluster whose masters disagree stops the start with a message that names the setting', async t => {
  for (const [what, disagree] of Object.entries(DISAGREEMENTS)) {
    const prefix = `cluster-${randomUUID()}`
    const agree = await disagree(`${prefix}:shards`)
    const fault = await startFault(t, { REDIS_URL: servers.url, REDIS_PREFIX: prefix })
    t.ok(fault instanceof ConfigurationError, what)
    t.match((fault as Error).message, /REDIS_URL/, what)
    await agree()
  }
})
