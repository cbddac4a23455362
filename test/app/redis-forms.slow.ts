import t, { type Test } from 'tap'
import { startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { eventually, startGateway, type Gateway } from '../helpers/app.js'
import { REDIS_FORMS, restrict } from '../helpers/redis-forms.js'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }

const logs = { logGroupName: '/forms', logStreamName: 's', logEvents: [{ message: 'waited for' }] }
const datum = { MetricName: 'm', Value: 1, Dimensions: [{ Name: 'Page', Value: '/' }] }
const metric = { params: { Namespace: 'forms', MetricData: [datum] } }

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
  const waited = await post('/logEvents', logs, { ...headers, prefer: 'wait=10' })
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
  const listed = await (await fetch(`${url}/admin/revocations`, { headers: ADMIN })).json()
  t.match((listed as { revocations: object[] }).revocations, [{ application: 'shop' }])
}

const FORMS: Record<string, (t: Test) => Promise<string>> = {
  async 'a cluster of three that refuses INFO, WAIT and CONFIG' (t) {
    const servers = await startRedisCluster()
    t.teardown(() => servers.stop())
    return await restrict(servers.url, servers.masters)
  },
  Sentinel: REDIS_FORMS.Sentinel,
  'a node that refuses INFO, WAIT and CONFIG': REDIS_FORMS['a node that refuses INFO, WAIT and CONFIG']
}

for (const [form, start] of Object.entries(FORMS)) {
  t.test(`a gateway on ${form}: tokens, items, receipts, idempotency keys, usage and revocations`, async t => {
    const REDIS_URL = await start(t)
    const shop = { id: 'shop', namespaces: ['*'], logGroups: ['*'], singleUseClientTokens: true }
    const file = await applicationsFile(t, [shop])
    const gateway = await startGateway(t, { REDIS_URL, ADMIN_TOKEN, APPS_FILE: file.path })
    await checkGateway(t, gateway)
  })
}
