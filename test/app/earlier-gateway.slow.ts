import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { RedisClient } from '../../lib/redis/redis-client.js'
import { subscribe } from '../../lib/redis/subscribe.js'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { eventually, startGateway, type Gateway } from '../helpers/app.js'
import { readDump, restoreDump, type RedisDump } from '../helpers/redis-dump.js'
import { connectTo, REDIS_FORMS } from '../helpers/redis-forms.js'

/** The time since the gateway of before was shut down. */
const MADE_AGO_MS = 120_000
const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }

/** What the gateway of before held. */
interface Dump extends RedisDump {
  deadLetter: string
  /** Items that wait, those among them that a worker had leased when it died. */
  waiting: { messages: string[], values: number[] }
  /** Of a request that waits for its delivery. */
  receipt: { id: string, items: number }
  /** Of the day, by application. */
  usage: Record<string, { metrics: number, logs: number }>
}

const logs = (logGroupName: string, message: string) => ({ logGroupName, logStreamName: 's', logEvents: [{ message }] })

/** @param issuedAgoSeconds how long ago the client token was made */
async function trade ({ post }: Gateway, iss: string, jti?: string, issuedAgoSeconds = 0) {
  const iat = Math.floor(Date.now() / 1_000) - issuedAgoSeconds
  const claims = { iss, iat, ...(jti === undefined ? {} : { jti }) }
  const answer = await post('/token', { clientToken: clientJwt(claims, secretOf(iss)) })
  const { accessToken } = await answer.json() as { accessToken: string }
  return { status: answer.status, authorization: `Bearer ${accessToken}` }
}

async function ask<Body> ({ url }: Gateway, path: string): Promise<Body> {
  return await (await fetch(url + path, { headers: ADMIN })).json() as Body
}

/** Receipts that are told to the processes of this prefix, by request. */
async function hearReceipts (t: Test, redis: RedisClient, prefix: string): Promise<Map<string, number>> {
  const heard = new Map<string, number>()
  const { listening, close } = subscribe(redis, [`${prefix}:receipts`], message => {
    const { id, delivered } = JSON.parse(message) as { id: string, delivered: number }
    heard.set(id, (heard.get(id) ?? 0) + delivered)
  })
  t.teardown(close)
  await listening
  return heard
}

for (const form of ['one node', 'a cluster of three'] as const) {
  t.test(`what a gateway of d56baef has left in Redis holds: ${form}`, async t => {
    const REDIS_URL = await REDIS_FORMS[form](t)
    const prefix = `earlier-${randomUUID()}`
    const redis = await connectTo(t, REDIS_URL)
    const dump = readDump<Dump>('gateway-d56baef', MADE_AGO_MS)
    await restoreDump(redis, dump, prefix)
    const receipts = await hearReceipts(t, redis, prefix)
    const file = await applicationsFile(t, [
      { id: 'shop', namespaces: ['*'], logGroups: ['*'] },
      { id: 'blog', namespaces: ['*'], logGroups: ['*'], budgets: { daily: { items: 20 } } },
      { id: 'news', namespaces: ['*'], logGroups: ['*'], singleUseClientTokens: true }
    ])
    const gateway = await startGateway(t, {
      REDIS_URL, REDIS_PREFIX: prefix, REDIS_SHARDS: '3', APPS_FILE: file.path, ADMIN_TOKEN, LEASE_MS: '2000'
    })
    const { sandbox, post, app } = gateway

    await t.test('revocations, and client tokens that were used', async t => {
      const { revocations } = await ask<{ revocations: object[] }>(gateway, '/admin/revocations')
      t.match(revocations, new Set([{ jti: 'revoked-token' }, { application: 'shop' }]))
      t.equal((await trade(gateway, 'shop', undefined, 600)).status, 401, 'issued before')
      t.equal((await trade(gateway, 'shop')).status, 201, 'issued since')
      t.equal((await trade(gateway, 'news', 'revoked-token')).status, 401)
      t.equal((await trade(gateway, 'news', 'traded-once')).status, 401)
    })

    await t.test('usage and budgets of the day', async t => {
      const { authorization } = await trade(gateway, 'blog')
      t.equal((await post('/logEvents', logs('/old/blog', 'beyond'), { authorization })).status, 429)
      const { usage } = await ask<{ usage: Array<{ application: string, items: object }> }>(gateway, '/admin/usage')
      const items = Object.fromEntries(usage.map(({ application, items }) => [application, items]))
      t.match(items, dump.usage)
    })

    await t.test('waiting items, also those of a worker that died, and their receipts', async t => {
      const delivered = await eventually(() => {
        const found = [...sandbox.items('/old/leased'), ...sandbox.items('/old/waiting')].map(({ message }) => message)
        return found.length >= dump.waiting.messages.length ? found : undefined
      })
      t.same(delivered.sort(), [...dump.waiting.messages].sort())
      await eventually(async () => (await app.spool.ledger()).inSpool === 0 ? true : undefined)
      t.equal(sandbox.ledger().dataPoints, dump.waiting.values.length)
      await eventually(() => receipts.get(dump.receipt.id) === dump.receipt.items ? true : undefined)
    })

    await t.test('dead letters, which are delivered when they are sent again', async t => {
      const { deadLetters } = await ask<{ deadLetters: Array<{ id: string }> }>(gateway, '/admin/dead-letters')
      t.match(deadLetters, [{ id: dump.deadLetter, reason: 'refused', destination: '/old/refused:s' }])
      t.same(await (await post('/admin/dead-letters/redrive', { kind: 'logs' }, ADMIN)).json(), { count: 1 })
      await eventually(() => [...sandbox.items('/old/refused')].length === 1 ? true : undefined)
    })

    await eventually(async () => (await app.spool.ledger()).inSpool === 0 ? true : undefined)
    const { accepted, delivered, deadLettered } = await app.spool.ledger()
    t.same({ delivered, deadLettered }, { delivered: accepted, deadLettered: 0 })
  })
}
