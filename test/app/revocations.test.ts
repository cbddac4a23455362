import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, startGateway, type Gateway } from '../helpers/app.js'
import type { Teardown } from '../helpers/teardown.js'
import { startRedis } from '../../tools/shared/redis.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }
/** Nothing lies between two gateways of this test but loopback. */
const WITHIN_MS = 1_000

const metric = { params: { Namespace: 'ns', MetricData: [{ MetricName: 'm', Value: 1 }] } }
const jtiOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { jti: string }).jti

async function trade ({ post }: Gateway, id: string, claims: object = {}): Promise<string> {
  const answer = await post('/token', {
    clientToken: clientJwt({ iss: id, jti: randomUUID(), ...claims }, secretOf(id))
  })
  return (await answer.json() as { accessToken: string }).accessToken
}

async function statusOf ({ post }: Gateway, token: string): Promise<number> {
  return (await post('/metric', metric, { authorization: `Bearer ${token}` })).status
}

/** Milliseconds until this gateway refuses the token. */
async function refusedWithin (gateway: Gateway, token: string, since: number): Promise<number> {
  await eventually(async () => await statusOf(gateway, token) === 401 ? true : undefined)
  return performance.now() - since
}

async function applications (t: Teardown) {
  return await applicationsFile(t, ['shop', 'blog'].map(id => ({ id, namespaces: ['*'] })))
}

for (const backend of BACKENDS) {
  t.test(`revocations, ${backend}`, async t => {
    const APPS_FILE = (await applications(t)).path
    const gateway = await startGateway(t, { FORWARDER: 'off', ADMIN_TOKEN, APPS_FILE }, backend)
    const { post, url } = gateway
    const revoke = async (body: object) => {
      const answer = await post('/admin/revocations', body, ADMIN)
      return { status: answer.status, ...await answer.json() as object }
    }

    t.test('by jti: one token, others not', async t => {
      const [one, other] = [await trade(gateway, 'shop'), await trade(gateway, 'shop')]
      t.equal(await statusOf(gateway, one), 201)
      t.match(await revoke({ jti: jtiOf(one) }), { status: 201, jti: jtiOf(one), expiresAt: String })
      t.equal(await statusOf(gateway, one), 401)
      t.equal(await statusOf(gateway, other), 201)
    })

    t.test('by the jti of a client token: itself, and all that it was traded for', async t => {
      const jti = randomUUID()
      const token = await trade(gateway, 'shop', { jti })
      await revoke({ jti })
      t.equal(await statusOf(gateway, token), 401)
      t.equal(await trade(gateway, 'shop', { jti }), undefined)
    })

    t.test('by application: access tokens and client tokens of before', async t => {
      const [shop, blog] = [await trade(gateway, 'shop'), await trade(gateway, 'blog')]
      // Access tokens say to the second when they were issued.
      await sleep(1_001)
      const old = Math.floor(Date.now() / 1000) - 1
      t.match(await revoke({ application: 'shop' }), { status: 201, application: 'shop' })
      t.equal(await statusOf(gateway, shop), 401)
      t.equal(await statusOf(gateway, blog), 201)
      t.equal(await trade(gateway, 'shop', { iat: old }), undefined)
      await sleep(1_001)
      t.equal(await statusOf(gateway, await trade(gateway, 'shop')), 201, 'issued since')
    })

    t.test('all that were issued before a time', async t => {
      const blog = await trade(gateway, 'blog')
      await revoke({ issuedBefore: new Date(Date.now() - 60_000).toISOString() })
      t.equal(await statusOf(gateway, blog), 201)
      await sleep(1_001)
      await revoke({ issuedBefore: new Date().toISOString() })
      t.equal(await statusOf(gateway, blog), 401)
    })

    t.test('they are listed, and asked for as they should be', async t => {
      const { revocations } = await (
        await fetch(`${url}/admin/revocations`, { headers: ADMIN })
      ).json() as { revocations: object[] }
      t.equal(revocations.length, 4)
      t.match(revocations[0], { issuedBefore: String, revokedAt: String })
      for (const bad of [
        {},
        { jti: 'j', application: 'shop' },
        { issuedBefore: '2999-01-01T00:00:00Z' },
        { issuedBefore: 'now' },
        { jti: '' },
        { everything: true }
      ]) {
        t.match(await revoke(bad), { status: 400, error: { code: 121 } }, JSON.stringify(bad))
      }
      t.equal((await post('/admin/revocations', { application: 'shop' })).status, 401)
      t.equal((await fetch(`${url}/admin/revocations`)).status, 401)
    })
  })
}

t.test('a revocation outlives the process, embedded', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'postman-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const APPS_FILE = (await applications(t)).path
  const environment = { FORWARDER: 'off', ADMIN_TOKEN, APPS_FILE, DATA_DIR: folder }
  const before = await startGateway(t, environment)
  const token = await trade(before, 'shop')
  await before.post('/admin/revocations', { jti: jtiOf(token) }, ADMIN)
  await before.app.close()
  t.equal(await statusOf(await startGateway(t, environment), token), 401)
})

t.test('two gateways on one Redis', { skip: BACKENDS.length === 1 }, async t => {
  const redis = await startRedis()
  t.teardown(() => redis.stop())
  const file = await applicationsFile(t, [
    { id: 'shop', namespaces: ['*'] }, { id: 'once', namespaces: ['*'], singleUseClientTokens: true }
  ])
  const environment = { FORWARDER: 'off', ADMIN_TOKEN, APPS_FILE: file.path, REDIS_URL: redis.url }
  const [one, two] = [await startGateway(t, environment), await startGateway(t, environment)]
  const revoke = async (body: object) => (await one.post('/admin/revocations', body, ADMIN)).status

  t.test('a revocation by one holds in the other within a second', async t => {
    const token = await trade(two, 'shop')
    t.equal(await statusOf(two, token), 201)
    const since = performance.now()
    t.equal(await revoke({ jti: jtiOf(token) }), 201)
    const ms = await refusedWithin(two, token, since)
    t.ok(ms < WITHIN_MS, `${Math.round(ms)} ms`)
  })

  t.test('though its message was lost', async t => {
    const token = await trade(two, 'shop')
    const client = new Redis(redis.url)
    t.teardown(() => client.disconnect())
    const jti = jtiOf(token)
    const now = Date.now()
    // As the gateway that takes it, but for the message.
    await client.hset(
      'cloudwatch-postman:revocations',
      `jti:${jti}`,
      JSON.stringify({ id: `jti:${jti}`, jti, revokedAt: now, expiresAt: now + 60_000 })
    )
    const since = performance.now()
    await client.hincrby('cloudwatch-postman:revocations', 'version', 1)
    const ms = await refusedWithin(two, token, since)
    t.ok(ms < WITHIN_MS, `${Math.round(ms)} ms`)
  })

  t.test('a client token that may be used once is used once by both together', async t => {
    const clientToken = clientJwt({ iss: 'once' }, secretOf('once'))
    const answers = await Promise.all(
      [one, two, one, two].map(async ({ post }) => (await post('/token', { clientToken })).status)
    )
    t.same(answers.sort(), [201, 401, 401, 401])
  })

  t.test('while Redis is away what is known stays in force, and what nobody can know is refused', async t => {
    const token = await trade(one, 'shop')
    t.equal(await revoke({ jti: jtiOf(token) }), 201)
    const other = await trade(one, 'shop')
    await redis.kill()
    t.equal(await statusOf(one, token), 401)
    const single = await one.post('/token', {
      clientToken: clientJwt({ iss: 'once', jti: randomUUID() }, secretOf('once'))
    })
    t.equal(single.status, 503)
    t.match(await single.json(), { error: { code: 161 } })
    t.ok(Number(single.headers.get('retry-after')) > 0)
    t.ok(await trade(one, 'shop'), 'others are traded')
    t.equal(await revoke({ jti: jtiOf(other) }), 503, 'not told to the others')
    t.equal(await statusOf(one, other), 401, 'but in force here')
    await redis.restart()
    await eventually(async () => await revoke({ jti: jtiOf(other) }) === 201 ? true : undefined)
    await refusedWithin(two, other, 0)
  })
})
