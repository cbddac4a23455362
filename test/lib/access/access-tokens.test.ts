import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { createSigner } from 'fast-jwt'
import t from 'tap'
import { AccessTokens } from '../../../lib/access/access-tokens.js'
import { createClientToken, readClientToken } from '../../../lib/access/legacy-client-token.js'

const NOW = 1_795_330_800_123
const SECRET = 'client-secret'
const HOUR = 3_600_000

function verifyClientToken (token: string, secret: string, now: number): boolean {
  return readClientToken(token, now)?.madeWith(secret) ?? false
}

function legacyToken (timestamp: string, salt: string, secret: string): string {
  const hash = createHash('sha256').update(timestamp + salt + secret).digest('base64')
  return Buffer.from([timestamp, salt, hash].join('::')).toString('base64')
}

t.test('takes a client token made as the predecessor documents it', async t => {
  const token = legacyToken(String(NOW), 'any salt', SECRET)
  t.equal(token, createClientToken(SECRET, NOW, 'any salt'))
  t.ok(verifyClientToken(token, SECRET, NOW))
  t.ok(verifyClientToken(token, SECRET, NOW + 24 * HOUR))
})

t.test('refuses client tokens that are expired, from the future, or of another secret', async t => {
  const token = createClientToken(SECRET, NOW, 'salt')
  t.notOk(verifyClientToken(token, SECRET, NOW + 24 * HOUR + 1))
  t.ok(verifyClientToken(token, SECRET, NOW - 5 * 60_000), 'a clock five minutes ahead')
  t.notOk(verifyClientToken(token, SECRET, NOW - 5 * 60_000 - 1))
  t.notOk(verifyClientToken(token, 'other', NOW))
})

t.test('refuses a token whose digits moved from the salt to the timestamp', async t => {
  const honest = legacyToken(String(NOW), '999salt', SECRET)
  const [timestamp, salt, hash] = Buffer.from(honest, 'base64').toString().split('::') as [string, string, string]
  for (let digits = 1; digits <= 3; digits++) {
    const shifted = Buffer.from([timestamp + salt.slice(0, digits), salt.slice(digits), hash].join('::')).toString('base64')
    t.notOk(verifyClientToken(shifted, SECRET, NOW), `${digits} digits`)
  }
  const back = Buffer.from([timestamp.slice(0, -1), timestamp.slice(-1) + salt, hash].join('::')).toString('base64')
  t.notOk(verifyClientToken(back, SECRET, NOW))
})

t.test('refuses what is not a client token', async t => {
  const good = createClientToken(SECRET, NOW, 'salt')
  const bad = ['', 'x', '%%%', good + '!', good.slice(0, -8), Buffer.from('a::b::c').toString('base64'),
    Buffer.from(`${NOW}::salt`).toString('base64'), Buffer.from(`${NOW}::a::b::c`).toString('base64'),
    Buffer.from(` ${NOW}::salt::x`).toString('base64'), Buffer.from('1e12::salt::x').toString('base64'), 'A'.repeat(100_000)]
  for (const token of bad) t.notOk(verifyClientToken(token, SECRET, NOW), JSON.stringify(token.slice(0, 40)))
})

t.test('no string makes the verification of a client token throw', async () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), token => {
    return !verifyClientToken(token, SECRET, NOW) && !verifyClientToken(Buffer.from(token).toString('base64'), SECRET, NOW)
  }))
})

t.test('every salt without :: gives a valid token', async () => {
  const salt = fc.string({ maxLength: 100 }).filter(salt => !`:${salt}:`.includes('::') && salt.isWellFormed())
  fc.assert(fc.property(salt, salt => verifyClientToken(createClientToken(SECRET, NOW, salt), SECRET, NOW)))
})

function accessTokens (now: () => number, ...secrets: string[]): AccessTokens {
  let count = 0
  return new AccessTokens({ secrets: (secrets.length === 0 ? ['access-secret'] : secrets) as [string, ...string[]], ttlSeconds: 3_600, now, id: () => `jti-${++count}` })
}

t.test('an access token is a JWT with jti, iat and exp that lives for its hour', async t => {
  let now = NOW
  const tokens = accessTokens(() => now)
  const token = tokens.issue({ application: 'shop' })
  const [header, payload] = token.split('.').slice(0, 2).map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
  t.match(header, { alg: 'HS256', typ: 'JWT' })
  t.same(payload, { sub: 'shop', jti: 'jti-1', iat: Math.floor(NOW / 1000), exp: Math.floor(NOW / 1000) + 3_600 })
  const claims = { application: 'shop', jti: 'jti-1', scope: null, origin: null, parent: null, issuedAt: Math.floor(NOW / 1000) * 1000, expiresAt: (Math.floor(NOW / 1000) + 3_600) * 1000 }
  t.same(tokens.verify(token), claims)
  now += HOUR + 1_000
  t.equal(tokens.verify(token), null, 'expired, though it was seen before')
  now = NOW
  t.same(tokens.verify(token), claims)
})

t.test('refuses access tokens that are forged, unsigned, incomplete or oversized', async t => {
  const tokens = accessTokens(() => NOW)
  const [header, payload, signature] = tokens.issue({ application: 'shop' }).split('.') as [string, string, string]
  const claims = { sub: 'shop', jti: 'j', iat: Math.floor(NOW / 1000), exp: Math.floor(NOW / 1000) + 60 }
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string }
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT', kid })).toString('base64url')
  const forged = {
    'other payload': `${header}.${Buffer.from(JSON.stringify({ ...claims, sub: 'admin' })).toString('base64url')}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'algorithm none': `${none}.${payload}.`,
    'other secret': createSigner({ key: 'other', algorithm: 'HS256', kid })(claims),
    'other algorithm': createSigner({ key: 'access-secret', algorithm: 'HS512', kid })(claims),
    'no kid': createSigner({ key: 'access-secret', algorithm: 'HS256' })(claims),
    'a scope that is none': createSigner({ key: 'access-secret', algorithm: 'HS256', kid })({ ...claims, scp: { namespaces: 'all' } }),
    'no jti': createSigner({ key: 'access-secret', algorithm: 'HS256', kid })({ sub: 'shop', exp: claims.exp }),
    oversized: 'a'.repeat(5_000),
    empty: '',
    text: 'hello'
  }
  for (const [name, token] of Object.entries(forged)) t.equal(tokens.verify(token), null, name)
})

t.test('a token seen before is verified without its signature being computed again', async t => {
  const tokens = accessTokens(() => NOW)
  const token = tokens.issue({ application: 'shop' })
  const first = tokens.verify(token)
  t.equal(tokens.verify(token), first, 'the very same object, out of the cache')
})

t.test('an access token carries scope, origin and the id of the client token', async t => {
  const tokens = accessTokens(() => NOW)
  const given = { application: 'shop', scope: { namespaces: ['shop/*'] }, origin: 'https://shop.example', parent: 'client-jti' }
  t.match(tokens.verify(tokens.issue(given)), given)
})

t.test('the newest key signs, every key verifies, each by its kid', async t => {
  const kid = (token: string) => (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid
  const before = accessTokens(() => NOW, 'old').issue({ application: 'shop' })
  const rotated = accessTokens(() => NOW, 'new', 'old')
  t.match(rotated.verify(before), { application: 'shop' })
  const after = rotated.issue({ application: 'shop' })
  t.not(kid(after), kid(before))
  t.notMatch(kid(after), /new/)
  t.match(rotated.verify(after), { application: 'shop' })
  t.equal(accessTokens(() => NOW, 'old').verify(after), null, 'a process that does not know the new key yet')
  t.equal(accessTokens(() => NOW, 'new').verify(before), null, 'the old key was taken away')
})
