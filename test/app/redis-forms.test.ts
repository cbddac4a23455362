import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { ROOT } from '../../tools/shared/root.js'
import { eventually, startGateway, type Gateway } from '../helpers/app.js'
import { REDIS_FORMS } from '../helpers/redis-forms.js'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }

const logs = (...messages: string[]) => ({
  logGroupName: '/forms', logStreamName: 's', logEvents: messages.map(message => ({ message }))
})
const metric = {
  params: {
    Namespace: 'forms', MetricData: [{ MetricName: 'm', Value: 1, Dimensions: [{ Name: 'Page', Value: '/' }] }]
  }
}

async function trade ({ post }: Gateway, claims: object): Promise<{ status: number, accessToken: string }> {
  const answer = await post('/token', { clientToken: clientJwt({ iss: 'shop', ...claims }, secretOf('shop')) })
  return { status: answer.status, ...await answer.json() as { accessToken: string } }
}

/** Every part of the gateway that uses Redis, over HTTP. */
async function checkGateway (t: Test, gateway: Gateway): Promise<void> {
  const { url, post, sandbox } = gateway
  const { accessToken } = await trade(gateway, { jti: 'once' })
  t.equal((await trade(gateway, { jti: 'once' })).status, 401, 'a client token is traded once')
  const headers = { authorization: `Bearer ${accessToken}` }
  const waited = await post('/logEvents', logs('waited for'), { ...headers, prefer: 'wait=10' })
  t.equal(waited.status, 201)
  t.equal([...sandbox.items('/forms')].length, 1, 'the answer came after the delivery')
  const keyed = { ...headers, 'idempotency-key': 'key-of-the-request' }
  t.equal((await post('/metric', metric, keyed)).status, 201)
  t.ok((await post('/metric', metric, keyed)).headers.has('idempotency-replayed'))
  await eventually(async () => (await gateway.app.spool.ledger()).inSpool === 0 ? true : undefined)
  t.match(await gateway.app.spool.ledger(), { accepted: 2, delivered: 2, deadLettered: 0 })
  t.equal((await fetch(`${url}/health/ready`)).status, 200)

  const usage = await (await fetch(`${url}/admin/usage`, { headers: ADMIN })).json() as { usage: object[] }
  t.match(usage.usage, [{ application: 'shop', items: { metrics: 1, logs: 1 }, series: 1 }])
  t.equal((await post('/admin/revocations', { application: 'shop' }, ADMIN)).status, 201)
  t.equal((await post('/metric', metric, headers)).status, 401)
  t.equal(
    (
      await (await fetch(`${url}/admin/revocations`, { headers: ADMIN })).json() as { revocations: object[] }
    ).revocations.length,
    1
  )
}

for (const form of ['a cluster of three', 'Sentinel', 'a node that refuses INFO, WAIT and CONFIG'] as const) {
  t.test(`a gateway on ${form}: tokens, items, receipts, idempotency keys, usage and revocations`, async t => {
    const REDIS_URL = await REDIS_FORMS[form](t)
    const file = await applicationsFile(t, [{
      id: 'shop',
      namespaces: ['*'],
      logGroups: ['*'],
      singleUseClientTokens: true
    }])
    const gateway = await startGateway(t, { REDIS_URL, ADMIN_TOKEN, APPS_FILE: file.path })
    await checkGateway(t, gateway)
  })
}

type StoredKey =
  | { type: 'string', value: string }
  | { type: 'hash', value: Record<string, string> }
  | { type: 'zset', value: string[] }
  | { type: 'stream', value: Array<[id: string, fields: string[]]>, groups: string[] }

/** What a gateway of before has left on its single node, or on the one shard of a cluster. */
async function leave (redis: Redis, prefix: string): Promise<void> {
  const stored = JSON.parse(
    readFileSync(join(ROOT, 'test/fixtures/spool-d56baef/redis.json'), 'utf8')
  ) as Record<string, StoredKey>
  for (const [name, each] of Object.entries(stored)) {
    const key = name.replace(/^(\{?)old:/, `$1${prefix}:`)
    if (each.type === 'string') await redis.set(key, each.value)
    if (each.type === 'hash') await redis.hset(key, each.value)
    if (each.type === 'zset') {
      for (let i = 0; i < each.value.length; i += 2) await redis.zadd(key, each.value[i + 1]!, each.value[i]!)
    }
    if (each.type !== 'stream') continue
    for (const [id, fields] of each.value) await redis.xadd(key, id, ...fields)
    for (const group of each.groups) await redis.xgroup('CREATE', key, group, '0')
  }
}

t.test('what an earlier version has left holds on a cluster of one shard', async t => {
  const servers = await startRedisCluster({ masters: 1 })
  t.teardown(() => servers.stop())
  const redis = new Redis(servers.masters[0]!.url)
  t.teardown(() => redis.disconnect())
  const prefix = 'before'
  await leave(redis, prefix)
  const now = Date.now()
  const today = new Date(now).toISOString().slice(0, 10)
  const revocation = {
    id: 'application:shop',
    application: 'shop',
    issuedBefore: now + 30_000,
    revokedAt: now,
    expiresAt: now + 3_600_000
  }
  await redis.hset(`${prefix}:revocations`, revocation.id, JSON.stringify(revocation), 'version', 1)
  await redis.hset(`${prefix}:usage:${today}`, 'blog:logs:items', 100)
  const letter = {
    id: '000001795999160-00000000-0123456789ab-logs-1',
    kind: 'logs',
    destination: '/old/app:page',
    reason: 'refused',
    message: 'm',
    at: now,
    items: 1,
    bytes: 30,
    line: '{"v":1,"e":[[1795999160377,"dead"]]}'
  }
  await redis.hset(`{${prefix}:logs:1}:dl`, letter.id, JSON.stringify(letter))
  await redis.zadd(`{${prefix}:logs:1}:dlids`, 0, letter.id)
  await redis.hset(
    `{${prefix}:logs:1}:counters`,
    'letters',
    1,
    'letterBytes',
    letter.line.length,
    'deadLettered',
    1,
    'accepted',
    1
  )

  const file = await applicationsFile(t, [
    { id: 'shop', namespaces: ['*'], logGroups: ['*'] },
    { id: 'blog', namespaces: ['*'], logGroups: ['*'], budgets: { daily: { items: 100 } } }
  ])
  const gateway = await startGateway(t, {
    REDIS_URL: servers.url,
    REDIS_PREFIX: prefix,
    REDIS_SHARDS: '2',
    ADMIN_TOKEN,
    APPS_FILE: file.path
  })
  t.equal((await trade(gateway, {})).status, 401, 'revocations')
  const blog = await gateway.post('/token', { clientToken: clientJwt({ iss: 'blog' }, secretOf('blog')) })
  const { accessToken } = await blog.json() as { accessToken: string }
  t.equal(
    (await gateway.post('/logEvents', logs('beyond'), { authorization: `Bearer ${accessToken}` })).status,
    429,
    'budgets'
  )
  const letters = await (
    await fetch(`${gateway.url}/admin/dead-letters`, { headers: ADMIN })
  ).json() as { deadLetters: Array<{ id: string }> }
  t.same(letters.deadLetters.map(({ id }) => id), [letter.id], 'dead letters')
  await eventually(async () => (await gateway.app.spool.ledger()).inSpool === 0 ? true : undefined)
  const ledger = await gateway.app.spool.ledger()
  t.equal(
    ledger.delivered + Object.values(ledger.rejected).reduce((sum, count) => sum + count, 0) + ledger.deadLettered,
    ledger.accepted,
    'waiting items'
  )
})
