import { createSigner } from 'fast-jwt'
import t from 'tap'
import { Applications } from '../../../lib/access/applications.js'
import { readGrant, singleUseTtlMs } from '../../../lib/access/client-tokens.js'
import { createClientToken } from '../../../lib/access/legacy-client-token.js'
import { WHOLE_APPLICATION } from '../../../lib/access/scope.js'
import { application, SECRET } from '../../helpers/applications.js'

const NOW = 1_795_330_800_123
const SECONDS = Math.floor(NOW / 1000)
const DAY = 24 * 3_600
const NEW_SECRET = 'the-secret-that-replaces-it'
const BLOG_SECRET = 'the-secret-of-the-blog'
const applications = new Applications([
  application({ clientSecrets: [NEW_SECRET, SECRET] }), application({ id: 'blog', clientSecrets: [BLOG_SECRET] })
])
const read = (token: string) => readGrant(token, applications, NOW)

function jwt (claims: object, secret = SECRET, algorithm: 'HS256' | 'HS384' = 'HS256'): string {
  return createSigner({ key: secret, algorithm, noTimestamp: !('iat' in claims) })({
    iss: 'shop', exp: SECONDS + 60, ...claims
  })
}

t.test('a token of the older form is of the application whose secret made it', async t => {
  t.match(read(createClientToken(SECRET, NOW, 'salt')), { application: { id: 'shop' }, jti: null, issuedAt: NOW })
  t.equal(read(createClientToken(SECRET, NOW, 'salt'))!.scope, WHOLE_APPLICATION)
  t.match(read(createClientToken(NEW_SECRET, NOW, 'salt')), { application: { id: 'shop' } })
  t.match(read(createClientToken(BLOG_SECRET, NOW, 'salt')), { application: { id: 'blog' } })
  t.equal(read(createClientToken('of nobody', NOW, 'salt')), null)
})

t.test('a JWT is of the application that iss or sub names', async t => {
  t.match(read(jwt({ jti: 'j', iat: SECONDS })), {
    application: { id: 'shop' },
    jti: 'j',
    issuedAt: SECONDS * 1000,
    expiresAt: (SECONDS + 60) * 1000
  })
  t.equal(read(jwt({ jti: 'j' }))!.scope, WHOLE_APPLICATION)
  t.match(read(jwt({ iss: undefined, sub: 'shop' })), { application: { id: 'shop' } })
  t.match(read(jwt({ iss: 'our backend', sub: 'shop' })), { application: { id: 'shop' } })
  t.match(read(jwt({ sub: 'user 7' }, NEW_SECRET)), { application: { id: 'shop' } })
  t.match(read(jwt({ scope: { namespaces: ['shop/*'] } })), { scope: { namespaces: ['shop/*'] } })
  t.equal(read(jwt({}))!.issuedAt, (SECONDS + 60 - DAY) * 1000, 'without iat it is as old as it can be')
})

t.test('a signer whose clock is up to five minutes ahead signs for a whole day', async t => {
  for (const ahead of [0, 120, 299]) {
    const exp = SECONDS + ahead + DAY
    t.match(read(jwt({ iat: SECONDS + ahead, exp })), { expiresAt: exp * 1000 }, `${ahead} s ahead`)
    t.match(read(jwt({ nbf: SECONDS + ahead, exp })), { expiresAt: exp * 1000 }, `${ahead} s ahead, without iat`)
  }
  t.ok(read(jwt({ iat: SECONDS - 60, exp: SECONDS + DAY })), 'dated back to be taken where the clock is behind')
})

t.test('refuses JWTs that are forged, out of time, or of no application', async t => {
  const [header, payload, signature] = jwt({}).split('.') as [string, string, string]
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const bad = {
    'the secret of another application': jwt({}, BLOG_SECRET),
    'another secret': jwt({}, 'a-secret-of-nobody'),
    'another algorithm': jwt({}, SECRET, 'HS384'),
    'no algorithm': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'no signature': `${header}.${payload}.`,
    'another payload': `${header}.${encode({ iss: 'shop', exp: SECONDS + 61 })}.${signature}`,
    'no such application': jwt({ iss: 'other' }),
    'no application': jwt({ iss: undefined }),
    'an application that is no string': jwt({ iss: ['shop'] as never }),
    'no exp': jwt({ exp: undefined }),
    expired: jwt({ exp: SECONDS }),
    'more than a day': jwt({ exp: SECONDS + DAY + 302 }),
    'more than a day after it was issued': jwt({ iat: SECONDS - 3_600, exp: SECONDS + DAY - 3_000 }),
    'a day that starts too far ahead': jwt({ iat: SECONDS + 302, exp: SECONDS + 302 + DAY }),
    'not yet': jwt({ nbf: SECONDS + 600 }),
    'of the future': jwt({ iat: SECONDS + 600 }),
    'a scope that is none': jwt({ scope: 'everything' }),
    'a scope with an unknown field': jwt({ scope: { buckets: [] } }),
    oversized: jwt({ pad: 'x'.repeat(4_096) }),
    dots: '...',
    'not JSON': 'a.b.c'
  }
  for (const [name, token] of Object.entries(bad)) t.equal(read(token), null, name)
})

t.test('however a token is written, it is the same token', async t => {
  const bare = createClientToken(SECRET, NOW, 'salt')
  t.match(bare, /=$/)
  t.equal(read(bare.replace(/=+$/, ''))!.id, read(bare)!.id, 'padding')
  const signed = jwt({})
  // The last character of the signature holds two bits that nobody reads.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const other = signed.slice(0, -1) + alphabet[alphabet.indexOf(signed.at(-1)!) ^ 1]
  const again = read(other)
  t.ok(again === null || again.id === read(signed)!.id, 'signature')
  t.equal(read(jwt({ jti: 'one', exp: SECONDS + 61 }))!.id, read(jwt({ jti: 'one' }))!.id, 'jti')
  t.not(read(jwt({ jti: 'two' }))!.id, read(jwt({ jti: 'one' }))!.id)
  t.not(read(createClientToken(SECRET, NOW, 'other one'))!.id, read(bare)!.id)
})

t.test('a token that is used once is remembered for as long as any process may take it', async t => {
  const grant = read(createClientToken(SECRET, NOW, 'salt'))!
  t.equal(singleUseTtlMs(grant, NOW + 1_000), DAY * 1_000 - 1_000 + 5 * 60_000)
})
