import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createClientToken, readLegacyClientToken } from '../../../lib/access/legacy-client-token.js'

const NOW = 1_795_330_800_123
const SECRET = 'client-secret'
const HOUR = 3_600_000

function verifyClientToken (token: string, secret: string, now: number): boolean {
  return readLegacyClientToken(token, now)?.madeWith(secret) ?? false
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
    const shifted = Buffer.from(
      [timestamp + salt.slice(0, digits), salt.slice(digits), hash].join('::')
    ).toString('base64')
    t.notOk(verifyClientToken(shifted, SECRET, NOW), `${digits} digits`)
  }
  const back = Buffer.from([timestamp.slice(0, -1), timestamp.slice(-1) + salt, hash].join('::')).toString('base64')
  t.notOk(verifyClientToken(back, SECRET, NOW))
})

t.test('refuses what is not a client token', async t => {
  const good = createClientToken(SECRET, NOW, 'salt')
  const bad = ['', 'x', '%%%', good + '!', good.slice(0, -8), Buffer.from('a::b::c').toString('base64'),
    Buffer.from(`${NOW}::salt`).toString('base64'), Buffer.from(`${NOW}::a::b::c`).toString('base64'),
    Buffer.from(
      ` ${NOW}::salt::x`
    ).toString('base64'), Buffer.from('1e12::salt::x').toString('base64'), 'A'.repeat(100_000)]
  for (const token of bad) t.notOk(verifyClientToken(token, SECRET, NOW), JSON.stringify(token.slice(0, 40)))
})

t.test('no string makes the verification of a client token throw', async () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), token => {
    return !verifyClientToken(token, SECRET, NOW) &&
      !verifyClientToken(Buffer.from(token).toString('base64'), SECRET, NOW)
  }))
})

t.test('every salt without :: gives a valid token', async () => {
  const salt = fc.string({ maxLength: 100 }).filter(salt => !`:${salt}:`.includes('::') && salt.isWellFormed())
  fc.assert(fc.property(salt, salt => verifyClientToken(createClientToken(SECRET, NOW, salt), SECRET, NOW)))
})
