import { createSigner } from 'fast-jwt'
import t from 'tap'
import { AccessTokens, isAccessToken } from '../../../lib/access/access-tokens.js'

const NOW = 1_795_330_800_123
const HOUR = 3_600_000

function accessTokens (now: () => number, ...secrets: string[]): AccessTokens {
  let count = 0
  return new AccessTokens({
    secrets: (secrets.length === 0 ? ['access-secret'] : secrets) as [string, ...string[]],
    ttlSeconds: 3_600,
    now,
    id: () => `jti-${++count}`
  })
}

t.test('an access token is a JWT with jti, iat and exp that lives for its hour', async t => {
  let now = NOW
  const tokens = accessTokens(() => now)
  const token = tokens.issue({ applicationId: 'shop' })
  const [header, payload] = token.split('.').slice(0, 2).map(part =>
    JSON.parse(Buffer.from(part, 'base64url').toString()))
  t.match(header, { alg: 'HS256', typ: 'at+jwt' })
  t.same(payload, { sub: 'shop', jti: 'jti-1', iat: Math.floor(NOW / 1000), exp: Math.floor(NOW / 1000) + 3_600 })
  const claims = {
    applicationId: 'shop',
    jti: 'jti-1',
    scope: {},
    origin: null,
    parent: null,
    grant: 'jti-1',
    issuedAt: Math.floor(NOW / 1000) * 1000,
    expiresAt: (Math.floor(NOW / 1000) + 3_600) * 1000
  }
  t.same(tokens.verify(token), claims)
  now += HOUR + 1_000
  t.equal(tokens.verify(token), null, 'expired, though it was seen before')
  now = NOW
  t.same(tokens.verify(token), claims)
})

t.test('refuses access tokens that are forged, unsigned, incomplete or oversized', async t => {
  const tokens = accessTokens(() => NOW)
  const [header, payload, signature] = tokens.issue({ applicationId: 'shop' }).split('.') as [string, string, string]
  const claims = { sub: 'shop', jti: 'j', iat: Math.floor(NOW / 1000), exp: Math.floor(NOW / 1000) + 60 }
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT', kid })).toString('base64url')
  const other = Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url')
  const forged = {
    'other payload': `${header}.${other}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'algorithm none': `${none}.${payload}.`,
    'other secret': createSigner({ key: 'other', algorithm: 'HS256', kid })(claims),
    'other algorithm': createSigner({ key: 'access-secret', algorithm: 'HS512', kid })(claims),
    'no kid': createSigner({ key: 'access-secret', algorithm: 'HS256' })(claims),
    'a scope that is none': createSigner({ key: 'access-secret', algorithm: 'HS256', kid })({
      ...claims, scp: { namespaces: 'all' }
    }),
    'no jti': createSigner({ key: 'access-secret', algorithm: 'HS256', kid })({ sub: 'shop', exp: claims.exp }),
    oversized: 'a'.repeat(5_000),
    empty: '',
    text: 'hello'
  }
  for (const [name, token] of Object.entries(forged)) t.equal(tokens.verify(token), null, name)
})

t.test('the type of an access token is its own; one of before, without it, is taken until it expires', async t => {
  let now = NOW
  const tokens = accessTokens(() => now)
  const { kid } = JSON.parse(
    Buffer.from(tokens.issue({ applicationId: 'shop' }).split('.')[0]!, 'base64url').toString()
  ) as { kid: string }
  const claims = { sub: 'shop', jti: 'j', iat: Math.floor(NOW / 1000), exp: Math.floor(NOW / 1000) + 60 }
  const sign = (typ?: string) =>
    createSigner({
      key: 'access-secret',
      algorithm: 'HS256',
      kid,
      ...(typ === undefined ? {} : { header: { alg: 'HS256', typ } })
    })(claims)
  const before = sign()
  t.match(tokens.verify(before), { applicationId: 'shop', grant: 'j' })
  t.match(tokens.verify(sign('at+jwt')), { applicationId: 'shop' })
  for (const typ of ['', 'dpop+jwt', 'id+jwt']) t.equal(tokens.verify(sign(typ)), null, typ)
  now += 61_000
  t.equal(tokens.verify(before), null)
  t.ok(isAccessToken(tokens.issue({ applicationId: 'shop' })))
  t.ok(isAccessToken(sign('application/at+JWT')))
  t.notOk(isAccessToken(before))
})

t.test('a token seen before is verified without its signature being computed again', async t => {
  const tokens = accessTokens(() => NOW)
  const token = tokens.issue({ applicationId: 'shop' })
  const first = tokens.verify(token)
  t.equal(tokens.verify(token), first, 'the very same object, out of the cache')
})

t.test('an access token carries scope, origin and the id of the client token', async t => {
  const tokens = accessTokens(() => NOW)
  const given = {
    applicationId: 'shop',
    scope: { namespaces: ['shop/*'] },
    origin: 'https://shop.example',
    parent: 'client-jti',
    grant: 'of the client token'
  }
  t.match(tokens.verify(tokens.issue(given)), given)
})

t.test('the newest key signs, every key verifies, each by its kid', async t => {
  const kid = (token: string) =>
    (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid
  const before = accessTokens(() => NOW, 'old').issue({ applicationId: 'shop' })
  const rotated = accessTokens(() => NOW, 'new', 'old')
  t.match(rotated.verify(before), { applicationId: 'shop' })
  const after = rotated.issue({ applicationId: 'shop' })
  t.not(kid(after), kid(before))
  t.notMatch(kid(after), /new/)
  t.match(rotated.verify(after), { applicationId: 'shop' })
  t.equal(accessTokens(() => NOW, 'old').verify(after), null, 'a process that does not know the new key yet')
  t.equal(accessTokens(() => NOW, 'new').verify(before), null, 'the old key was taken away')
})
