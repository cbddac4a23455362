import t from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, secretOf } from '../helpers/applications.js'
import { BACKENDS, CLIENT_SECRET_KEY, eventually, redisEnvironment, startGateway } from '../helpers/app.js'

const metric = { params: { Namespace: 'ns', MetricData: [{ MetricName: 'm', Value: 1 }] } }

for (const backend of BACKENDS) {
  t.test(`limits, ${backend}`, async t => {
    t.test('per IP: refused before the token is looked at, told in standard headers', async t => {
      const { post, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '3' }, backend)
      const first = await post('/metric', metric, { authorization: 'Bearer nonsense' })
      t.equal(first.status, 401)
      t.equal(first.headers.get('x-ratelimit-limit'), '3')
      t.equal(first.headers.get('x-ratelimit-remaining'), '2')
      for (let i = 0; i < 2; i++) await post('/metric', metric)
      const refused = await post('/metric', 'not even JSON', {
        authorization: 'Bearer nonsense', origin: 'https://shop.example'
      })
      t.equal(refused.status, 429)
      t.match(await refused.json(), { error: { code: 150 } })
      t.ok(Number(refused.headers.get('retry-after')) > 0 && Number(refused.headers.get('retry-after')) <= 60)
      t.equal(refused.headers.get('access-control-allow-origin'), '*')
      t.match(refused.headers.get('access-control-expose-headers'), /Retry-After.*X-RateLimit-Limit/)
      t.equal((await fetch(`${url}/health/live`)).status, 200, 'health is exempt')
      t.equal(
        (await fetch(`${url}/metric`, {
          method: 'OPTIONS', headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' }
        })).status,
        204,
        'so are preflights'
      )
      t.equal((await fetch(`${url}/nowhere`)).status, 404)
    })

    t.test('per token and per application', async t => {
      const file = await applicationsFile(t, [
        { id: 'shop', namespaces: ['*'], rateLimits: { perMinute: 5, perTokenPerMinute: 3 } },
        { id: 'blog', namespaces: ['*'] }
      ])
      const { post } = await startGateway(t, { FORWARDER: 'off', APPS_FILE: file.path }, backend)
      const tokenOf = async (id: string) =>
        (
          await (await post('/token', {
            clientToken: createClientToken(secretOf(id), Date.now(), 'salt')
          })).json() as { accessToken: string }
        ).accessToken
      const send = async (token: string) => await post('/metric', metric, { authorization: `Bearer ${token}` })
      const [one, two, blog] = [await tokenOf('shop'), await tokenOf('shop'), await tokenOf('blog')]
      const first = await send(one)
      t.equal(first.status, 201)
      t.equal(first.headers.get('x-ratelimit-remaining'), '2', 'the nearest limit')
      t.equal(
        (await post('/metric', { ...metric, accessToken: one })).status, 201, 'a token in the body counts the same'
      )
      t.equal((await send(one)).status, 201)
      const refused = await send(one)
      t.equal(refused.status, 429)
      t.equal(refused.headers.get('x-ratelimit-limit'), '3')
      t.match(await refused.json(), { error: { code: 150, message: /of this token/ } })
      t.ok(Number(refused.headers.get('retry-after')) > 0)
      for (let i = 0; i < 2; i++) t.equal((await send(two)).status, 201)
      const all = await send(two)
      t.match({ status: all.status, ...await all.json() as object }, {
        status: 429, error: { code: 150, message: /of this application/ }
      })
      t.equal((await send(blog)).status, 201)
    })

    t.test('all that one client token is traded for counts as one token, and so do its trades', async t => {
      const file = await applicationsFile(t, [{ id: 'shop', namespaces: ['*'], rateLimits: { perTokenPerMinute: 5 } }])
      const { post } = await startGateway(t, { FORWARDER: 'off', APPS_FILE: file.path }, backend)
      const clientToken = createClientToken(secretOf('shop'), Date.now(), 'salt')
      const trades = []
      for (let i = 0; i < 6; i++) {
        trades.push(await post('/token', { clientToken: i % 2 === 0 ? clientToken : clientToken.replace(/=+$/, '') }))
      }
      t.same(trades.map(({ status }) => status), [201, 201, 201, 201, 201, 429])
      const statuses = []
      for (const answer of trades.slice(0, 5)) {
        const { accessToken } = await answer.json() as { accessToken: string }
        for (let i = 0; i < 5; i++) {
          statuses.push((await post('/metric', metric, { authorization: `Bearer ${accessToken}` })).status)
        }
      }
      t.same(statuses, [...Array(5).fill(201), ...Array(20).fill(429)])
      t.equal(
        (await post('/token', { clientToken: createClientToken(secretOf('shop'), Date.now(), 'other') })).status,
        201,
        'another client token'
      )
    })
  })
}

t.test('the order of the checks: path and method, origin, IP, Content-Length, token, body', async t => {
  const { post, url } = await startGateway(t, {
    RATE_LIMIT_PER_MINUTE: '2', CORS_ALLOWED_ORIGIN: 'https://shop.example'
  })
  const large = 'x'.repeat(3_000_000)
  const bad = { authorization: 'Bearer nonsense' }
  const status = async (answer: Promise<Response>) => (await answer).status
  t.equal(await status(post('/metric', large, bad)), 413, 'before the token')
  t.equal(await status(post('/metric', '{', bad)), 401, 'before the body')
  t.equal(await status(post('/metric', large, bad)), 429, 'before Content-Length')
  t.equal(await status(post('/metric', large, { ...bad, origin: 'https://evil.example' })), 403, 'before the IP')
  t.equal(await status(post('/nowhere', '{}', { origin: 'https://evil.example' })), 404, 'before the origin')
  t.equal(await status(fetch(`${url}/metric`, { headers: { origin: 'https://evil.example' } })), 405)
})

t.test('behind proxies the limit is the client\'s, and nobody can pretend to be another', async t => {
  const send = async (url: string, forwarded: string) =>
    (await fetch(`${url}/test`, { headers: { 'x-forwarded-for': forwarded } })).status

  t.test('without TRUST_PROXY the header is not believed', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2' })
    t.same([await send(url, '1.1.1.1'), await send(url, '2.2.2.2'), await send(url, '3.3.3.3')], [200, 200, 429])
  })

  t.test('with one proxy its last entry is the client', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '1' })
    t.same(
      [await send(url, '1.1.1.1'), await send(url, '9.9.9.9, 1.1.1.1'), await send(url, '8.8.8.8, 1.1.1.1')],
      [200, 200, 429],
      'what the client itself wrote is before it'
    )
    t.equal(await send(url, '2.2.2.2'), 200)
  })

  t.test('addresses of proxies', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: 'loopback, 10.0.0.0/8' })
    t.same(
      [await send(url, '1.1.1.1, 10.1.2.3'), await send(url, '1.1.1.1'), await send(url, '1.1.1.1, 10.9.9.9')],
      [200, 200, 429]
    )
  })

  t.test('an address is the same with a port or without, and what is none is one client', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '1' })
    t.same(
      [await send(url, '203.0.113.8:50000'), await send(url, '203.0.113.8:50001'), await send(url, '203.0.113.8')],
      [200, 200, 429]
    )
    t.same(
      [await send(url, '[2001:db8::1]:443'), await send(url, '[2001:db8::2]:444'), await send(url, '2001:db8::3')],
      [200, 200, 429]
    )
    t.same([await send(url, 'garbage'), await send(url, 'unknown'), await send(url, '1.2.3.4.5')], [200, 200, 429])
  })

  t.test('an IPv6 network of 64 bits is one client', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '1' })
    t.same(
      [await send(url, '2001:db8:1:2::1'), await send(url, '2001:db8:1:2:ffff::7'), await send(url, '2001:DB8:1:2::3')],
      [200, 200, 429]
    )
    t.equal(await send(url, '2001:db8:1:3::1'), 200, 'the next network')
    t.same(
      [await send(url, '::ffff:1.2.3.4'), await send(url, '1.2.3.4'), await send(url, '::ffff:1.2.3.4')],
      [200, 200, 429],
      'IPv4 in IPv6 clothes'
    )
  })
})

t.test('failures are limited for each IP, wherever they are', async t => {
  const ADMIN_TOKEN = 'admin-token-of-the-tests'
  const METERING_ACCESS_KEY = 'access-key-of-the-tests'
  const gateway = await startGateway(t, {
    FORWARDER: 'off',
    FAILURES_PER_MINUTE: '3',
    TRUST_PROXY: '1',
    ADMIN_TOKEN,
    METERING_ACCESS_KEY,
    REVENIUM_PLATFORM_API_KEY: 'unused'
  })
  const accessToken = await gateway.token()
  let client = 0
  /** The statuses of requests of one new IP. */
  async function statuses (...requests: Array<[path: string, init: RequestInit]>): Promise<number[]> {
    const address = `198.51.100.${++client}`
    const found = []
    for (const [path, { headers, ...init }] of requests) {
      const response = await fetch(gateway.url + path, {
        ...init,
        headers: {
          'content-type': 'application/json', 'x-forwarded-for': address, ...headers as Record<string, string>
        }
      })
      await response.arrayBuffer()
      if (response.status === 429) t.ok(Number(response.headers.get('retry-after')) > 0, path)
      found.push(response.status)
    }
    return found
  }
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  const post = (body: object, init: RequestInit = {}) => ({ method: 'POST', body: JSON.stringify(body), ...init })
  const clientToken = createClientToken(CLIENT_SECRET_KEY, Date.now(), 'salt')
  const wrong: Record<string, [string, RequestInit]> = {
    'the admin token': ['/admin/usage', bearer('wrong')],
    'the admin token, for Prometheus': ['/metrics', bearer('wrong')],
    'the access key of metering': ['/metering/access-logs', post({}, bearer('wrong'))],
    'the access key of Firehose': ['/metering/firehose', post({}, bearer('wrong'))],
    'a client token': ['/token', post({ clientToken: createClientToken('nobody', Date.now(), 's') })],
    'no client token': ['/token', post({})],
    'an access token': ['/metric', post(metric, bearer('wrong'))],
    'an access token in the body': ['/metric', post({ ...metric, accessToken: 'wrong' })],
    'no access token': ['/metric', post(metric)],
    'an unknown path': ['/wp-login.php', {}],
    'an unknown method': ['/metric', { method: 'DELETE' }]
  }
  for (const [name, request] of Object.entries(wrong)) {
    const found = await statuses(
      request,
      request,
      request,
      request,
      ['/admin/usage', bearer(ADMIN_TOKEN)],
      ['/metering/access-logs', post({}, bearer(METERING_ACCESS_KEY))],
      ['/token', post({ clientToken })],
      ['/metric', post(metric, bearer(accessToken))],
      ['/health/live', {}]
    )
    t.notOk(found.slice(0, 3).includes(429), name)
    t.equal(found[3], 429, `${name}: the fourth`)
    t.same(
      found.slice(4), [429, 429, 429, 201, 200], `${name}: no more guesses are answered, and who has a token may go on`
    )
  }
  t.same(
    await statuses(
      ['/admin/usage', bearer(ADMIN_TOKEN)],
      ['/admin/dead-letters/none', bearer(ADMIN_TOKEN)],
      ['/admin/dead-letters/none', bearer(ADMIN_TOKEN)],
      ['/admin/dead-letters/none', bearer(ADMIN_TOKEN)],
      ['/admin/usage', bearer(ADMIN_TOKEN)]
    ),
    [200, 404, 404, 404, 200],
    'what an operator does not find is no failure'
  )
})

t.test('health has a limit of its own', async t => {
  const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2' })
  for (const path of ['/health/live', '/health/ready']) {
    const found = []
    for (let i = 0; i < 3; i++) found.push((await fetch(url + path)).status)
    t.same(found, [200, 200, 429], path)
  }
})

t.test('two gateways on one Redis share a limit', { skip: BACKENDS.length === 1 }, async t => {
  const environment = { RATE_LIMIT_PER_MINUTE: '40', FAILURES_PER_MINUTE: '40', ...await redisEnvironment(t) }
  const [one, two] = [await startGateway(t, environment), await startGateway(t, environment)]
  const status = async (url: string) => (await fetch(`${url}/documentation/json`)).status
  for (let i = 0; i < 39; i++) await status(one.url)
  let taken = 0
  await eventually(async () => {
    if (await status(two.url) === 429) return true
    taken++
    return undefined
  })
  t.ok(taken < 40, `${taken} let through by the other`)
  t.equal(await eventually(async () => await status(one.url) === 429 ? 429 : undefined), 429)

  const fail = async (url: string) => (await fetch(`${url}/nothing`)).status
  for (let i = 0; i < 39; i++) await fail(one.url)
  const failed: number[] = []
  await eventually(async () => {
    failed.push(await fail(two.url))
    return failed.at(-1) === 429 ? true : undefined
  })
  t.ok(failed.length < 40, `${failed.length - 1} failures let through by the other`)
  t.equal(await eventually(async () => await fail(one.url) === 429 ? 429 : undefined), 429)
})
