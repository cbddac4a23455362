import { METHODS, request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import t from 'tap'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { BACKENDS, CLIENT_SECRET_KEY, eventually } from '../../helpers/app.js'
import { sameStore, startGatewayFor, startMeteredGateway, type MeteredGateway } from '../../helpers/metered-gateway.js'

const AUTHORIZE = { AUTHORIZE_ROUTE: 'on' }
/** Every verdict is asked for anew. */
const RENEWED = { DENIED_TTL_SECONDS: '0', VERDICT_TTL_SECONDS: '0', STALE_SECONDS: '0' }

async function ask (
  { url }: MeteredGateway, clientId: string | undefined, path = '/authorize', init: RequestInit = {}
): Promise<{ status: number, entitlement: string | null }> {
  const answer = await fetch(url + path, {
    ...init, headers: { ...init.headers, ...(clientId !== undefined && { clientId }) }
  })
  await answer.arrayBuffer()
  return { status: answer.status, entitlement: answer.headers.get('x-entitlement') }
}

async function askRaw (
  { url }: MeteredGateway, method: string, path: string, headers: OutgoingHttpHeaders
): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request(
      url + path, { method, headers }, answer => answer.resume().on('end', () => resolve(answer))
    ).on('error', reject).end()
  })
}

async function askForToken ({ post }: MeteredGateway): Promise<Response> {
  return await post('/token', { clientToken: createClientToken(CLIENT_SECRET_KEY, Date.now(), String(Math.random())) })
}

for (const backend of BACKENDS) {
  t.test(`GET /authorize, ${backend}`, async t => {
    const gateway = await startMeteredGateway(t, AUTHORIZE, backend)
    gateway.platform.setClients({ acme: 'entitled', broke: 'denied' })

    t.test('answers 200 or 403 by what the platform says, and asks once for many', async t => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(gateway, 'acme')))
      t.ok(answers.every(({ status, entitlement }) => status === 200 && entitlement === 'entitled'))
      t.same(await ask(gateway, 'broke'), { status: 403, entitlement: 'denied' })
      t.same(await ask(gateway, 'stranger'), { status: 403, entitlement: 'denied' })
      t.same(gateway.platform.ledger().asked, { acme: 1, broke: 1, stranger: 1 })
    })

    t.test('says why in the shape of every error', async t => {
      const answer = await fetch(`${gateway.url}/authorize`, { headers: { clientId: 'broke' } })
      t.match(await answer.json(), { error: { code: 115 } })
      t.equal(answer.headers.get('cache-control'), 'no-store')
    })

    t.test('what cannot be a client id is denied, and nobody is asked', async t => {
      const { asked } = gateway.platform.ledger()
      for (const id of [undefined, '', ' ', '-', 'x&productKey=acme', 'acme%00', 'a"b', 'x'.repeat(10_000)]) {
        t.equal((await ask(gateway, id)).status, 403, String(id).slice(0, 20))
      }
      t.same(gateway.platform.ledger().asked, asked)
    })

    t.test('takes the call of a proxy as it is: method, path, body and origin of somebody else', async t => {
      const headers = { origin: 'https://elsewhere.example', 'content-type': 'application/json' }
      t.equal((await ask(gateway, 'acme', '/authorize', { headers })).status, 200)
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const body = method === 'GET' ? {} : { body: '' }
        t.equal(
          (await ask(gateway, 'acme', '/authorize/orders/7?x=1', { method, headers, ...body })).status, 200, method
        )
        t.equal(
          (await ask(gateway, 'broke', '/authorize/orders/7?x=1', { method, headers, ...body })).status, 403, method
        )
      }
      t.equal((await ask(gateway, 'acme', '/authorize/orders', { method: 'POST', headers, body: '{' })).status, 200)
    })

    t.test('answers every method alike, and has no CORS', async t => {
      for (const path of ['/authorize', '/authorize/orders/7']) {
        for (const method of METHODS.filter(method => method !== 'CONNECT')) {
          for (const [clientId, status] of [['acme', 200], ['broke', 403]] as const) {
            const answer = await askRaw(gateway, method, path, {
              clientId, Origin: 'https://elsewhere.example', 'Access-Control-Request-Method': 'POST'
            })
            t.equal(answer.statusCode, status, `${method} ${path}`)
            t.strictSame(Object.keys(answer.headers).filter(name => name.startsWith('access-control')), [])
          }
        }
      }
    })

    t.test('of two client ids it takes none, and asks nobody', async t => {
      const { asked } = gateway.platform.ledger()
      t.equal((await askRaw(gateway, 'GET', '/authorize', { clientId: ['acme', 'broke'] })).statusCode, 403)
      t.equal((await askRaw(gateway, 'GET', '/authorize', { clientId: 'acme, broke' })).statusCode, 403)
      t.equal(
        (await askRaw(gateway, 'GET', '/authorize', { clientId: ['acme', 'acme'] })).statusCode,
        200,
        'the same one twice'
      )
      t.same(gateway.platform.ledger().asked, asked)
    })
  })

  t.test(`FAIL_MODE=open, another header for the client id, and no limit for one address, ${backend}`, async t => {
    const gateway = await startMeteredGateway(
      t,
      { ...AUTHORIZE, ...RENEWED, FAIL_MODE: 'open', CLIENT_ID_HEADER: 'X-Consumer', RATE_LIMIT_PER_MINUTE: '3' },
      backend
    )
    const askFor = (consumer: string): ReturnType<typeof ask> =>
      ask(gateway, undefined, '/authorize', { headers: { 'x-consumer': consumer } })
    gateway.platform.setClients({ acme: 'entitled' })
    for (let call = 0; call < 10; call++) t.equal((await askFor('acme')).status, 200)
    t.equal((await ask(gateway, 'acme')).status, 403)
    gateway.platform.faults.set([{ kind: 'answer', status: 503 }])
    t.same(await askFor('newcomer'), { status: 200, entitlement: 'unknown' })
    t.same(await askFor('acme'), { status: 200, entitlement: 'entitled' }, 'the last verdict stands in')
  })

  t.test(`FAIL_MODE=closed, and ENTITLEMENT=on refuses tokens to an application that the platform denies, ${backend}`, async t => {
    const gateway = await startMeteredGateway(
      t, { ...AUTHORIZE, ...RENEWED, ENTITLEMENT: 'on', FAIL_MODE: 'closed', STALE_IF_ERROR_SECONDS: '2' }, backend
    )
    gateway.platform.setClients({ acme: 'entitled' })
    t.equal((await ask(gateway, 'acme')).status, 200)
    gateway.platform.faults.set([{ kind: 'answer', status: 503 }])
    t.same(await ask(gateway, 'newcomer'), { status: 403, entitlement: 'unknown' })
    t.same(await ask(gateway, 'acme'), { status: 200, entitlement: 'entitled' }, 'the last verdict stands in')
    gateway.platform.faults.clear()

    const denied = await askForToken(gateway)
    t.equal(denied.status, 402)
    t.match(await denied.json(), { error: { code: 103 } })
    gateway.platform.setClients({ default: 'entitled' })
    t.equal((await askForToken(gateway)).status, 201, 'it has paid')
    gateway.platform.faults.set([{ kind: 'reset' }])
    const unknown = await eventually(async () => {
      const answer = await askForToken(gateway)
      return answer.status === 201 ? undefined : answer
    })
    t.equal(unknown.status, 503)
    t.ok(unknown.headers.has('retry-after'))
    t.match(await unknown.json(), { error: { code: 163 } })
    t.equal((await gateway.post('/token', { clientToken: 'wrong' })).status, 401, 'a wrong client token is nobody\'s')
  })
}

t.test('gateways on one Redis share their verdicts', async t => {
  const store = await sameStore(t, 'redis')
  const first = await startMeteredGateway(t, { ...AUTHORIZE, ...store })
  const second = await startGatewayFor(t, first.platform, {
    ...AUTHORIZE, REDIS_URL: store.REDIS_URL!, REDIS_PREFIX: store.REDIS_PREFIX!
  })
  first.platform.setClients({ acme: 'entitled' })
  t.equal((await ask(first, 'acme')).status, 200)
  t.equal((await ask(second, 'acme')).status, 200)
  t.same(first.platform.ledger().asked, { acme: 1 })
})
