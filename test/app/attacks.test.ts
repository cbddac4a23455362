import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSigner } from 'fast-jwt'
import t from 'tap'
import { ROOT } from '../../tools/shared/root.js'
import { createClientToken } from '../../lib/access/legacy-client-token.js'
import { applicationsFile, clientJwt, secretOf } from '../helpers/applications.js'
import { CLIENT_SECRET_KEY, startGateway, type Gateway } from '../helpers/app.js'
import { askRaw } from '../helpers/raw.js'

const ADMIN_TOKEN = 'admin-token-of-the-tests'
const ACCESS_SECRET = 'access-secret-of-the-tests'
const HOUR = 3_600_000
const DAY_SECONDS = 86_400
const LOGS = { logGroupName: '/a', logStreamName: 's', logEvents: [{ message: 'm' }] }

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>

async function answerOf (response: Response) {
  return { status: response.status, ...await response.json() as { error?: { code: number }, accessToken?: string } }
}

async function nothingStored ({ app }: Gateway): Promise<boolean> {
  return (await app.spool.ledger()).accepted === 0
}

t.test('client tokens of attackers trade for nothing', async t => {
  const file = await applicationsFile(t, [{ id: 'shop', namespaces: ['*'] }, { id: 'blog', namespaces: ['*'] }])
  const { post } = await startGateway(t, { APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0' })
  const trade = async (clientToken: unknown) => await answerOf(await post('/token', { clientToken }))
  const now = Date.now()
  const seconds = Math.floor(now / 1000)
  const good = clientJwt({}, secretOf('shop'))
  const [header, , signature] = good.split('.') as [string, string, string]
  const payload = encode({ iss: 'shop', iat: seconds, exp: seconds + 60 })
  const [stamp, salt, hash] = Buffer.from(
    createClientToken(secretOf('shop'), now, '7salt'), 'base64'
  ).toString().split('::') as [string, string, string]
  const older = (content: string): string => Buffer.from(content).toString('base64')

  t.match(await trade(good), { status: 201 })
  t.match(await trade(older(`${stamp}::${salt}::${hash}`)), { status: 201 })
  const attacks = {
    'forged with another secret': createClientToken('nobody', now, 's'),
    expired: createClientToken(secretOf('shop'), now - 25 * HOUR, 's'),
    'dated ahead': createClientToken(secretOf('shop'), now + HOUR, 's'),
    'a digit moved from the salt to the timestamp': older(`${stamp}7::${salt.slice(1)}::${hash}`),
    'a digit moved from the timestamp to the salt': older(`${stamp.slice(0, -1)}::${stamp.slice(-1)}${salt}::${hash}`),
    'a JWT with another secret': clientJwt({}, secretOf('blog')),
    'a JWT without a signature': `${header}.${payload}.`,
    'a JWT with algorithm none': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'a JWT with another algorithm': clientJwt({}, secretOf('shop'), 'HS512'),
    'a JWT with another payload': `${header}.${payload}.${signature}x`,
    'a JWT that has expired': clientJwt({ exp: seconds - 1 }, secretOf('shop')),
    'a JWT of the future': clientJwt({ iat: seconds + 3_600, exp: seconds + 7_200 }, secretOf('shop')),
    'a JWT for longer than a day': clientJwt({ exp: seconds + 2 * DAY_SECONDS }, secretOf('shop')),
    'a JWT of no application': clientJwt({ iss: 'nobody' }, secretOf('shop')),
    'an access token, though it be signed with the client secret': createSigner({
      key: secretOf('shop'), header: { alg: 'HS256', typ: 'at+jwt' }
    })({ sub: 'shop', jti: 'j', iat: seconds, exp: seconds + 60 }),
    'an access token': (await trade(good)).accessToken,
    'an array': [good],
    'an object': { toString: good }
  }
  for (const [name, token] of Object.entries(attacks)) {
    t.match(await trade(token), { status: 401, error: { code: 101 } }, name)
  }
})

t.test('access tokens of attackers write nothing', async t => {
  const gateway = await startGateway(t, { FORWARDER: 'off', RATE_LIMIT_PER_MINUTE: '0' })
  const token = await gateway.token()
  const [head, body, signature] = token.split('.') as [string, string, string]
  const { kid } = decode(head) as { kid: string }
  const claims = decode(body) as { iat: number, exp: number }
  const sign = (
    payload: object,
    key = ACCESS_SECRET,
    algorithm: 'HS256' | 'HS512' = 'HS256',
    keyId: string | undefined = kid
  ) =>
    createSigner({ key, algorithm, ...(keyId === undefined ? {} : { kid: keyId }) })(payload)
  const attacks = {
    'forged with another key': sign(claims, 'another-secret'),
    'with an unknown kid': sign(claims, ACCESS_SECRET, 'HS256', 'unknown'),
    'with a kid that is a path': sign(claims, 'x', 'HS256', '../../dev/null'),
    'with a kid of a prototype': sign(claims, ACCESS_SECRET, 'HS256', '__proto__'),
    'with another algorithm': sign(claims, ACCESS_SECRET, 'HS512'),
    'with algorithm none': `${encode({ alg: 'none', typ: 'JWT', kid })}.${body}.`,
    'without a signature': `${head}.${body}.`,
    'with another payload': `${head}.${encode({ ...claims, exp: claims.exp + 1 })}.${signature}`,
    expired: sign({ ...claims, iat: claims.iat - 7_200, exp: claims.iat - 3_600 }),
    'signed with the client secret': sign(claims, CLIENT_SECRET_KEY),
    'a client token': createClientToken(CLIENT_SECRET_KEY, Date.now(), 's')
  }
  for (const [name, forged] of Object.entries(attacks)) {
    t.match(
      await answerOf(await gateway.post('/logEvents', LOGS, { authorization: `Bearer ${forged}` })),
      { status: 401, error: { code: 111 } },
      name
    )
    t.match(
      await answerOf(await gateway.post('/logEvents', { ...LOGS, accessToken: forged })),
      { status: 401, error: { code: 111 } },
      `${name}, in the body`
    )
  }
  t.ok(await nothingStored(gateway))
  t.match(await answerOf(await gateway.post('/logEvents', LOGS, { authorization: `Bearer ${token}` })), { status: 201 })
})

t.test('what is said twice is refused, and no request hides in another', async t => {
  const gateway = await startGateway(t, { ADMIN_TOKEN, RATE_LIMIT_PER_MINUTE: '0' })
  const { url, post } = gateway
  const token = await gateway.token()
  const authorization = `Bearer ${await gateway.token()}`
  const admin = { authorization: `Bearer ${ADMIN_TOKEN}` }
  t.match(
    await answerOf(await post(`/logEvents?accessToken=${token}`, LOGS, { authorization })),
    { status: 401, error: { code: 111 } },
    'two tokens that differ'
  )
  t.match(await answerOf(await post(`/logEvents?accessToken=${token}&accessToken=${token}`, LOGS)), {
    status: 401, error: { code: 111 }
  })
  t.match(await answerOf(await post(`/logEvents?accessToken[]=${token}`, LOGS)), { status: 403, error: { code: 110 } })
  t.match(await answerOf(await fetch(`${url}/admin/dead-letters?limit=1&limit=2`, { headers: admin })), { status: 400 })
  const smuggled = 'GET /admin/usage HTTP/1.1\r\nHost: x\r\n\r\n'
  const ambiguous = [
    ['both lengths', `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['two lengths', `Content-Length: 0\r\nContent-Length: 50\r\n\r\n${smuggled}`],
    ['a length that is none', `Content-Length: +5\r\n\r\n${smuggled}`],
    ['an unknown transfer encoding', `Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`]
  ] as const
  for (const [name, rest] of ambiguous) {
    const answer = await askRaw(url, `POST /logEvents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${rest}`)
    t.equal(answer.status, 400, name)
    t.equal(answer.headers.connection, 'close', `${name}: nothing that follows is read`)
  }
  t.ok(await nothingStored(gateway))
})

t.test('no path leads around the admin token, or to another site', async t => {
  const { url } = await startGateway(t, { ADMIN_TOKEN, RATE_LIMIT_PER_MINUTE: '0' })
  const paths = [
    '/admin/usage', '/ADMIN/usage', '//admin/usage', '/admin//usage', '/admin/usage/', '/admin%2fusage',
    '/health/../admin/usage', '/admin/usage%00', '/admin/usage;a=b', '/./admin/usage', '//evil.example/',
    '/\\evil.example', '/%2f%2fevil.example', '/metrics/'
  ]
  for (const path of paths) {
    const answer = await askRaw(
      url,
      `GET ${path} HTTP/1.1\r\nHost: evil.example\r\nX-Original-URL: /health/live\r\nX-Forwarded-Host: ` +
        'evil.example\r\n\r\n'
    )
    t.ok([400, 401, 404, 405].includes(answer.status), `${path}: ${answer.status}`)
    t.equal(answer.headers.location, undefined, path)
  }
  for (const token of [
    '',
    ADMIN_TOKEN.slice(0, -1),
    `${ADMIN_TOKEN}x`,
    ADMIN_TOKEN.toUpperCase(),
    'undefined',
    'null',
    '[object Object]'
  ]) {
    t.equal(
      (await fetch(`${url}/admin/usage`, { headers: { authorization: `Bearer ${token}` } })).status, 401, `"${token}"`
    )
  }
  t.equal(
    (await fetch(`${url}/admin/usage?accessToken=${ADMIN_TOKEN}`)).status, 401, 'nor does the token count in the query'
  )
  t.equal((await fetch(`${url}/admin/usage`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })).status, 200)
})

t.test('an idempotency key is its application\'s own', async t => {
  const file = await applicationsFile(t, [{ id: 'shop', logGroups: ['*'] }, { id: 'blog', logGroups: ['*'] }])
  const { app, post } = await startGateway(t, { FORWARDER: 'off', APPS_FILE: file.path })
  const send = async (id: string) => {
    const { accessToken } = await answerOf(await post('/token', {
      clientToken: createClientToken(secretOf(id), Date.now(), randomUUID())
    }))
    return await post('/logEvents', LOGS, { authorization: `Bearer ${accessToken!}`, 'idempotency-key': 'one' })
  }
  t.equal((await send('shop')).status, 201)
  const other = await send('blog')
  t.equal(other.status, 201)
  t.equal(other.headers.get('idempotency-replayed'), null, 'nobody is answered what another was')
  t.equal((await app.spool.ledger()).accepted, 2)
  t.equal((await send('shop')).headers.get('idempotency-replayed'), 'true')
  t.equal((await app.spool.ledger()).accepted, 2)
})

t.test('every secret is compared in constant time', async t => {
  // Over HTTP such a difference drowns in noise, so the sources are asked.
  for (const file of [
    'lib/access/legacy-client-token.ts', 'lib/http/secrets.ts', 'plugins/access/admin.ts',
    'plugins/metering/metering.ts'
  ]) {
    const source = await readFile(join(ROOT, file), 'utf8')
    t.match(source, /timingSafeEqual\(|createSecretCheck\(/, file)
    t.notMatch(
      source,
      /(expected|secret|digest\w*|hash)\)? [!=]== (?!null|undefined)(\w+)/,
      `${file} compares no secret otherwise`
    )
  }
})

t.test('a client token for single use, written otherwise, is the same token', async t => {
  const file = await applicationsFile(t, [{ id: 'shop', namespaces: ['*'], singleUseClientTokens: true }])
  const { post } = await startGateway(t, { APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0' })
  const token = createClientToken(secretOf('shop'), Date.now(), 'once')
  t.equal((await post('/token', { clientToken: token })).status, 201)
  for (const written of [token, token.replace(/=+$/, ''), `${token.replace(/=+$/, '')}==`]) {
    t.equal((await post('/token', { clientToken: written })).status, 401)
  }
})

t.test('hostile text meets no regular expression: redaction and globs answer in time', { timeout: 60_000 }, async t => {
  const file = await applicationsFile(t, [{
    id: 'shop',
    namespaces: ['*'],
    logGroups: ['/*a*a*a*a*a*a*a*a*b', '/fine'],
    logStreams: ['*'],
    redaction: { fields: ['password'], patterns: ['email', 'bearer-token', 'card-number'], urlQueries: true }
  }])
  const { post } = await startGateway(t, { FORWARDER: 'off', APPS_FILE: file.path, RATE_LIMIT_PER_MINUTE: '0' })
  const { accessToken } = await answerOf(await post('/token', { clientToken: clientJwt({}, secretOf('shop')) }))
  const send = (logGroupName: string, message: string) =>
    post(`/logEvents?accessToken=${accessToken}`, { logGroupName, logStreamName: 's', logEvents: [{ message }] })
  for (const text of [
    'a@'.repeat(400_000),
    '4'.repeat(800_000),
    `https://${'?'.repeat(800_000)}`,
    'Bearer '.repeat(100_000),
    '{"a":'.repeat(150_000)
  ]) {
    t.equal((await send('/fine', text)).status, 201)
  }
  t.equal((await send(`/${'a'.repeat(500)}`, 'm')).status, 403)
})
