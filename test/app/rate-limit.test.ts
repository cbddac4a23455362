import t from 'tap'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, secretOf } from '../helpers/applications.js'
import { BACKENDS, eventually, redisEnvironment, startGateway } from '../helpers/app.js'

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
      const refused = await post('/metric', 'not even JSON', { authorization: 'Bearer nonsense', origin: 'https://shop.example' })
      t.equal(refused.status, 429)
      t.match(await refused.json(), { error: { code: 150 } })
      t.ok(Number(refused.headers.get('retry-after')) > 0 && Number(refused.headers.get('retry-after')) <= 60)
      t.equal(refused.headers.get('access-control-allow-origin'), '*')
      t.match(refused.headers.get('access-control-expose-headers'), /Retry-After.*X-RateLimit-Limit/)
      t.equal((await fetch(`${url}/health/live`)).status, 200, 'health is exempt')
      t.equal((await fetch(`${url}/metric`, { method: 'OPTIONS', headers: { origin: 'https://shop.example', 'access-control-request-method': 'POST' } })).status, 204, 'so are preflights')
      t.equal((await fetch(`${url}/nowhere`)).status, 404)
    })

    t.test('per token and per application', async t => {
      const file = await applicationsFile(t, [{ id: 'shop', namespaces: ['*'], rateLimits: { perMinute: 5, perTokenPerMinute: 3 } }, { id: 'blog', namespaces: ['*'] }])
      const { post } = await startGateway(t, { APPS_FILE: file.path }, backend)
      const tokenOf = async (id: string) => (await (await post('/token', { clientToken: createClientToken(secretOf(id), Date.now(), 'salt') })).json() as { accessToken: string }).accessToken
      const send = async (token: string) => await post('/metric', metric, { authorization: `Bearer ${token}` })
      const [one, two, blog] = [await tokenOf('shop'), await tokenOf('shop'), await tokenOf('blog')]
      const first = await send(one)
      t.equal(first.status, 201)
      t.equal(first.headers.get('x-ratelimit-remaining'), '2', 'the nearest limit')
      t.equal((await post('/metric', { ...metric, accessToken: one })).status, 201, 'a token in the body counts the same')
      t.equal((await send(one)).status, 201)
      const refused = await send(one)
      t.equal(refused.status, 429)
      t.equal(refused.headers.get('x-ratelimit-limit'), '3')
      t.match(await refused.json(), { error: { code: 150, message: /of this token/ } })
      t.ok(Number(refused.headers.get('retry-after')) > 0)
      for (let i = 0; i < 2; i++) t.equal((await send(two)).status, 201)
      const all = await send(two)
      t.match({ status: all.status, ...await all.json() as object }, { status: 429, error: { code: 150, message: /of this application/ } })
      t.equal((await send(blog)).status, 201)
    })
  })
}

t.test('the order of the checks: path and method, origin, IP, Content-Length, token, body', async t => {
  const { post, url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', CORS_ALLOWED_ORIGIN: 'https://shop.example' })
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
  const send = async (url: string, forwarded: string) => (await fetch(`${url}/test`, { headers: { 'x-forwarded-for': forwarded } })).status

  t.test('without TRUST_PROXY the header is not believed', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2' })
    t.same([await send(url, '1.1.1.1'), await send(url, '2.2.2.2'), await send(url, '3.3.3.3')], [200, 200, 429])
  })

  t.test('with one proxy its last entry is the client', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '1' })
    t.same([await send(url, '1.1.1.1'), await send(url, '9.9.9.9, 1.1.1.1'), await send(url, '8.8.8.8, 1.1.1.1')], [200, 200, 429], 'what the client itself wrote is before it')
    t.equal(await send(url, '2.2.2.2'), 200)
  })

  t.test('addresses of proxies', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: 'loopback, 10.0.0.0/8' })
    t.same([await send(url, '1.1.1.1, 10.1.2.3'), await send(url, '1.1.1.1'), await send(url, '1.1.1.1, 10.9.9.9')], [200, 200, 429])
  })

  t.test('an IPv6 network of 64 bits is one client', async t => {
    const { url } = await startGateway(t, { RATE_LIMIT_PER_MINUTE: '2', TRUST_PROXY: '1' })
    t.same([await send(url, '2001:db8:1:2::1'), await send(url, '2001:db8:1:2:ffff::7'), await send(url, '2001:DB8:1:2::3')], [200, 200, 429])
    t.equal(await send(url, '2001:db8:1:3::1'), 200, 'the next network')
    t.same([await send(url, '::ffff:1.2.3.4'), await send(url, '1.2.3.4'), await send(url, '::ffff:1.2.3.4')], [200, 200, 429], 'IPv4 in IPv6 clothes')
  })
})

t.test('two gateways on one Redis share a limit', { skip: BACKENDS.length === 1 }, async t => {
  const environment = { RATE_LIMIT_PER_MINUTE: '40', ...await redisEnvironment(t) }
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
})
