import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { readFile, writeFile } from 'node:fs/promises'
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { BACKENDS, CLIENT_SECRET_KEY, eventually, startGateway, type Gateway } from '../helpers/app.js'
import { askRaw } from '../helpers/raw.js'

const SHOP = 'https://shop.example'
const BLOG = 'https://blog.example'

const logs = (logGroupName: string, logStreamName = 'browser') => ({
  logGroupName, logStreamName, logEvents: [{ message: 'm' }]
})
const metric = (Namespace: string) => ({ params: { Namespace, MetricData: [{ MetricName: 'm', Value: 1 }] } })
const bare = (id: string, secret = secretOf(id)) => createClientToken(secret, Date.now(), randomUUID())

async function answerOf (response: Response) {
  return {
    status: response.status,
    ...await response.json() as { accessToken?: string, error?: { code: number, message: string } }
  }
}

/** Trades a client token; `origin` is that of the page. */
async function trade ({ post }: Gateway, clientToken: string, origin?: string) {
  return await answerOf(await post('/token', { clientToken }, origin === undefined ? {} : { origin }))
}

for (const backend of BACKENDS) {
  t.test(`applications, ${backend}`, async t => {
    const file = await applicationsFile(t, [
      {
        id: 'shop',
        allowedOrigins: [SHOP, 'null'],
        namespaces: ['shop', 'shop/*'],
        logGroups: ['/web/shop*'],
        logStreams: ['browser', 'b-?'],
        retentionDays: 30,
        clientSecrets: [secretOf('shop'), secretOf('next')]
      },
      { id: 'blog', allowedOrigins: [BLOG], namespaces: ['blog'], logGroups: ['/web/*'] },
      { id: 'once', namespaces: ['*'], singleUseClientTokens: true }
    ])
    const gateway = await startGateway(t, { APPS_FILE: file.path, LOG_RETENTION_DAYS: '7' }, backend)
    const { post, url, app } = gateway
    const tokenOf = async (clientToken: string, origin?: string) =>
      (await trade(gateway, clientToken, origin)).accessToken!
    const send = async (body: object, token: string, origin?: string) =>
      await answerOf(await post('params' in body ? '/metric' : '/logEvents', body, {
        authorization: `Bearer ${token}`, ...(origin === undefined ? {} : { origin })
      }))

    t.test('a token of any of its secrets writes where its application may, and nowhere else', async t => {
      for (const token of [
        await tokenOf(bare('shop')),
        await tokenOf(bare('shop', secretOf('next'))),
        await tokenOf(clientJwt({}, secretOf('shop')))
      ]) {
        t.match(await send(metric('shop/cart'), token), { status: 201 })
        t.match(await send(logs('/web/shop', 'b-7'), token), { status: 201 })
        t.match(await send(metric('billing'), token), {
          status: 403, error: { code: 113, message: /namespace "billing"/ }
        })
        t.match(await send(logs('/aws/lambda/x'), token), {
          status: 403, error: { code: 113, message: /log group "\/aws\/lambda\/x"/ }
        })
        t.match(await send(logs('/web/shop', 'admin'), token), {
          status: 403, error: { code: 113, message: /log stream "admin"/ }
        })
      }
      const before = await app.spool.ledger()
      t.equal(before.accepted, 6, 'nothing else was stored')
    })

    t.test('a client token of a day, of a server whose clock is two minutes ahead, is traded', async t => {
      const iat = Math.floor(Date.now() / 1000) + 120
      t.match(await trade(gateway, clientJwt({ iat, exp: iat + 24 * 3_600 }, secretOf('shop'))), { status: 201 })
    })

    t.test('a scope narrows a token further', async t => {
      const token = await tokenOf(clientJwt({ scope: { namespaces: ['shop/cart', 'billing'] } }, secretOf('shop')))
      t.match(await send(metric('shop/cart'), token), { status: 201 })
      t.match(await send(metric('shop/search'), token), { status: 403, error: { code: 113 } })
      t.match(await send(metric('billing'), token), { status: 403, error: { code: 113 } })
      t.match(await send(logs('/web/shop'), token), { status: 201 })
    })

    t.test('a token of one origin does not work from another, nor from none', async t => {
      const token = await tokenOf(bare('shop'), SHOP)
      t.match(await send(metric('shop'), token, SHOP), { status: 201 })
      t.match(await send(metric('shop'), token, BLOG), { status: 401, error: { code: 111 } })
      t.match(await send(metric('shop'), token), { status: 401, error: { code: 111 } })
      t.match(
        await send(metric('shop'), token, 'null'),
        { status: 201 },
        'the application lets pages through whose origin is hidden'
      )
      const blog = await tokenOf(bare('blog'), BLOG)
      t.match(await send(metric('blog'), blog, 'null'), { status: 401, error: { code: 111 } })
      t.match(
        await answerOf(await post('/metric', { ...metric('shop'), accessToken: token }, { origin: BLOG })),
        { status: 401, error: { code: 111 } },
        'a token in the body'
      )
      t.match(
        await answerOf(await post(`/metric?accessToken=${token}`, metric('shop'), { origin: BLOG })),
        { status: 401, error: { code: 111 } },
        'a token in the query'
      )
    })

    t.test('pages of other origins are refused, whatever they look like', async t => {
      const free = await tokenOf(bare('shop'))
      t.match(await send(metric('shop'), free, SHOP), { status: 201 }, 'a token of no page')
      t.match(
        await send(metric('shop'), free, BLOG),
        { status: 403, error: { code: 114 } },
        'an origin of another application'
      )
      t.match(await trade(gateway, bare('shop'), BLOG), { status: 403, error: { code: 114 } })
    })

    t.test('a client token is traded once when its application says so', async t => {
      for (const clientToken of [
        bare('once'),
        clientJwt({ iss: 'once', jti: randomUUID() }, secretOf('once')),
        clientJwt({ iss: 'once' }, secretOf('once'))
      ]) {
        const answers = await Promise.all(Array.from({ length: 8 }, () => trade(gateway, clientToken)))
        t.same(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(401)])
        t.ok(answers.every(({ status, error }) => status === 201 || error!.code === 101))
        t.match(await trade(gateway, clientToken.replace(/=+$/, '')), { status: 401 }, 'written otherwise')
      }
      t.match(await trade(gateway, bare('shop')), { status: 201 })
    })

    t.test('log groups get the retention of their application', async t => {
      const client = new CloudWatchLogsClient({ region: 'eu-west-1' })
      t.teardown(() => client.destroy())
      const token = await tokenOf(bare('blog'))
      t.match(await send(logs('/web/blog'), token), { status: 201 })
      const retention = (logGroupNamePrefix: string) =>
        eventually(async () =>
          (await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix }))).logGroups?.[0]?.retentionInDays)
      t.equal(await retention('/web/shop'), 30)
      t.equal(await retention('/web/blog'), 7, 'LOG_RETENTION_DAYS where the application asks for none')
    })

    t.test('a bad file leaves the old one in force; a good one replaces it as a whole', async t => {
      const shop = await tokenOf(bare('shop'))
      const blog = await tokenOf(bare('blog'))
      const equalSecret = JSON.stringify({
        applications: [{
          id: 'shop',
          clientSecrets: ['access-secret-of-the-tests'],
          allowedOrigins: ['*'],
          namespaces: ['other']
        }]
      })
      for (const bad of ['{"applications":[{"id":"shop"}]}', equalSecret]) {
        await file.write(bad)
        process.emit('SIGHUP')
        await new Promise(resolve => setTimeout(resolve, 1_500))
        t.match(await send(metric('shop'), shop), { status: 201 }, bad)
      }

      const changed = { id: 'shop', clientSecrets: [secretOf('shop')], allowedOrigins: ['*'], namespaces: ['other'] }
      await file.write(`\uFEFF${JSON.stringify({ applications: [changed] })}`)
      process.emit('SIGHUP')
      await eventually(async () => (await send(metric('other'), shop)).status === 201 ? true : undefined)
      t.match(await send(metric('shop'), shop), { status: 403, error: { code: 113 } }, 'tokens issued before follow')
      t.match(await send(metric('blog'), blog), { status: 401, error: { code: 111 } }, 'the application is gone')
      t.match(await trade(gateway, bare('blog')), { status: 401, error: { code: 101 } })
      t.equal(
        (await fetch(`${url}/test`, {
          headers: { origin: 'https://anybody.example' }
        })).headers.get('access-control-allow-origin'),
        '*'
      )

      await file.write([{ id: 'blog', namespaces: ['blog'] }])
      await eventually(async () => (await send(metric('blog'), blog)).status === 201 ? true : undefined)
      t.match(await send(metric('other'), shop), { status: 401 }, 'without a signal, too')
    })
  })
}

t.test('CORS: the origins of all applications, and no other', async t => {
  const file = await applicationsFile(t, [
    { id: 'shop', allowedOrigins: [SHOP] }, { id: 'blog', allowedOrigins: [BLOG] }
  ])
  const { url, post } = await startGateway(t, { APPS_FILE: file.path })
  const preflight = (origin: string) =>
    fetch(`${url}/metric`, {
      method: 'OPTIONS',
      headers: {
        origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type'
      }
    })
  for (const origin of [SHOP, BLOG]) {
    const answer = await preflight(origin)
    t.equal(answer.status, 204)
    t.equal(answer.headers.get('access-control-allow-origin'), origin)
    t.match(answer.headers.get('vary'), /origin/i)
    t.equal(
      (await post('/metric', {}, { origin })).headers.get('access-control-allow-origin'), origin, 'on errors, too'
    )
  }
  const attempts = [
    'https://evil.example', `${SHOP}.evil.example`, 'https://evilshop.example', 'http://shop.example', `${SHOP}:8443`,
    'null', 'https://SHOP.example', '*', `${SHOP},${BLOG}`, 'file://'
  ]
  for (const origin of attempts) {
    const answer = await preflight(origin)
    t.not(answer.status, 204, origin)
    t.equal(answer.headers.get('access-control-allow-origin'), null, origin)
    const posted = await post('/metric', {}, { origin })
    t.equal(posted.headers.get('access-control-allow-origin'), null, origin)
    t.match(await answerOf(posted), { status: 403, error: { code: 114 } }, origin)
  }
  t.equal((await fetch(`${url}/health/live`)).status, 200, 'no page at all')
})

t.test('without PUBLIC_ORIGIN no page counts as the gateway\'s own; with it, those of this very origin do', async t => {
  const post = (url: string, host: string, origin: string) =>
    askRaw(url, `POST /metric HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nContent-Length: 0\r\n\r\n`)
  const without = await startGateway(t, { CORS_ALLOWED_ORIGIN: SHOP })
  const { host } = new URL(without.url)
  for (const [name, origin] of [
    [host, without.url],
    ['evil.example', 'http://evil.example'],
    ['evil.example', 'https://evil.example']
  ] as const) {
    t.match(await post(without.url, name, origin), { status: 403, body: /"code":114/ }, `${name}, ${origin}`)
  }
  const own = 'https://telemetry.example'
  const withOne = await startGateway(t, { CORS_ALLOWED_ORIGIN: SHOP, PUBLIC_ORIGIN: own })
  t.equal((await fetch(`${withOne.url}/documentation/json`, { headers: { origin: own } })).status, 200)
  t.match(
    await trade(withOne, createClientToken(CLIENT_SECRET_KEY, Date.now(), 's'), own),
    { status: 201 },
    'its documentation may trade tokens'
  )
  for (const origin of [
    'http://telemetry.example', `${own}:8443`, `${own}.evil.example`, 'https://evil.telemetry.example',
    'telemetry.example', withOne.url
  ]) {
    t.match(await post(withOne.url, 'telemetry.example', origin), { status: 403, body: /"code":114/ }, origin)
  }
})

t.test('ALLOWED_NAMESPACES and ALLOWED_LOG_GROUPS do the same for the one application', async t => {
  const gateway = await startGateway(t, {
    FORWARDER: 'off', ALLOWED_NAMESPACES: 'shop, shop/*', ALLOWED_LOG_GROUPS: '/web/*', CORS_ALLOWED_ORIGIN: SHOP
  })
  const authorization = `Bearer ${await gateway.token()}`
  const status = async (path: string, body: object, headers = {}) =>
    (await gateway.post(path, body, { authorization, ...headers })).status
  t.equal(await status('/metric', metric('shop/cart')), 201)
  t.equal(await status('/metric', metric('billing')), 403)
  t.equal(await status('/logEvents', logs('/web/shop')), 201)
  t.equal(await status('/logEvents', logs('/api')), 403)
  t.equal(await status('/metric', metric('shop'), { origin: BLOG }), 403)
  t.equal((await fetch(`${gateway.url}/test`)).status, 200, 'the gateway\'s own metric needs no leave')
})

t.test('a file that cannot be used stops the start, with the path of the fault and no secret', async t => {
  const secret = 'a-very-secret-secret'
  const shop = { id: 'shop', clientSecrets: [secret], allowedOrigins: ['*'] }
  const cases: Array<[unknown, RegExp]> = [
    [Buffer.from('\uFEFF{"applications":[]}', 'utf16le'), /it is in UTF-16, and has to be saved as UTF-8/],
    [{ applications: [{ ...shop, namespaces: 'shop' }] }, /applications\[0\]\.namespaces: Expected array/],
    [{ applications: [shop, { ...shop, id: 'blog', clientSecrets: [] }] }, /applications\[1\]\.clientSecrets: /],
    [{ applications: [shop, { ...shop, id: 'blog' }] }, /applications\[1\]\.clientSecrets\[0\]: is given twice/],
    [{ applications: [{ ...shop, retentionDays: 8 }] }, /applications\[0\]\.retentionDays: Expected one of 1, 3, 5/],
    [
      { applications: [{ ...shop, dimensions: { unknown: 'hide' } }] },
      /applications\[0\]\.dimensions\.unknown: Expected one of keep, drop/
    ],
    [{ applications: [{ ...shop, budget: {} }] }, /applications\[0\]\.budget: Unexpected property/],
    [
      { applications: [{ ...shop, logStreamShards: { hot: 101 } }] },
      /applications\[0\]\.logStreamShards\.hot: Expected integer to be less or equal to 100/
    ],
    [{ applications: [{ ...shop, logStreamShards: { hot: 0 } }] }, /applications\[0\]\.logStreamShards\.hot: /],
    [
      { applications: [{ ...shop, allowedOrigins: ['https://shop.example/'] }] },
      /applications\[0\]\.allowedOrigins\[0\]: /
    ],
    [{ applications: [{ ...shop, clientSecrets: ['fifteen-letters'] }] }, /applications\[0\]\.clientSecrets\[0\]: /],
    [
      { applications: [{ ...shop, clientSecrets: [secret, 'access-secret-of-the-tests'] }] },
      /applications\[0\]\.clientSecrets\[1\]: equals ACCESS_TOKEN_SECRET_KEY/
    ],
    [{ applications: [] }, /applications: /],
    [[], /the file: /],
    [`{"applications":\n[{"id":"shop","clientSecrets":["${secret}" "x"]}]}`, /it is not JSON/]
  ]
  const file = await applicationsFile(t, '')
  for (const [content, message] of cases) {
    await file.write(typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content))
    const error = await startGateway(
      { teardown: handler => t.teardown(handler) }, { APPS_FILE: file.path }
    ).then(() => null, (error: Error) => error)
    t.match(error?.message, /APPS_FILE/)
    t.match(error?.message, message)
    t.notMatch(error?.message, /very-secret/)
  }
  await t.rejects(
    startGateway({ teardown: handler => t.teardown(handler) }, { APPS_FILE: `${file.path}.none` }),
    { message: /ENOENT/ }
  )
  await t.rejects(startGateway({ teardown: handler => t.teardown(handler) }, { CLIENT_SECRET_KEY: '' }), {
    message: /CLIENT_SECRET_KEY is missing/
  })
})

t.test('keys rotate without a gap', async t => {
  const old = await startGateway(t, { FORWARDER: 'off', ACCESS_TOKEN_SECRET_KEY: 'the-old-key-of-the-tests' })
  const rotated = await startGateway(t, {
    FORWARDER: 'off',
    ACCESS_TOKEN_SECRET_KEY: 'the-new-key-of-the-tests',
    ACCESS_TOKEN_PREVIOUS_SECRET_KEYS: 'an-older-key-of-the-tests, the-old-key-of-the-tests'
  })
  const status = async ({ post }: Gateway, token: string) =>
    (await post('/metric', metric('shop'), { authorization: `Bearer ${token}` })).status
  const [before, after] = [await old.token(), await rotated.token()]
  t.equal(await status(rotated, before), 201)
  t.equal(await status(rotated, after), 201)
  t.equal(await status(old, after), 401)
})

t.test('the example of the documentation is a file that can be used', async t => {
  const example = /```json\n([\s\S]*?)```/.exec(await readFile(join(ROOT, 'docs/applications.md'), 'utf8'))![1]!
  const file = await applicationsFile(t, '')
  await writeFile(file.path, example)
  const { app } = await startGateway(t, { APPS_FILE: file.path })
  t.ok(app.applications.list().length > 1)
})
