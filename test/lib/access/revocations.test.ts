import t from 'tap'
import { Revocations, toRevocation } from '../../../lib/access/revocations.js'
import type { AccessClaims } from '../../../lib/access/access-tokens.js'
import { application } from '../../helpers/applications.js'

const NOW = 1_795_330_800_000
const HOUR = 3_600_000
const DAY = 24 * HOUR

function claims (given: Partial<AccessClaims>): AccessClaims {
  return {
    applicationId: 'shop',
    jti: 'j',
    scope: {},
    origin: null,
    parent: null,
    grant: 'g',
    issuedAt: NOW - HOUR,
    expiresAt: NOW + HOUR,
    ...given
  }
}

t.test('one token, those of an application, or all before a time', async t => {
  let now = NOW
  const revocations = new Revocations(() => now)
  t.notOk(revocations.hasAccessToken(claims({})))
  revocations.add(toRevocation({ jti: 'j' }, NOW))
  t.ok(revocations.hasAccessToken(claims({})))
  t.ok(revocations.hasAccessToken(claims({ jti: 'other', parent: 'j' })), 'traded for a client token of this id')
  t.notOk(revocations.hasAccessToken(claims({ jti: 'other' })))

  revocations.add(toRevocation({ application: 'shop' }, NOW))
  t.ok(revocations.hasAccessToken(claims({ jti: 'other' })))
  t.notOk(revocations.hasAccessToken(claims({ jti: 'other', issuedAt: NOW })), 'issued since')
  t.notOk(revocations.hasAccessToken(claims({ jti: 'other', applicationId: 'blog' })))
  const grant = { application: application(), scope: {}, jti: null, expiresAt: NOW + HOUR, id: '' }
  t.ok(revocations.hasClientToken({ ...grant, issuedAt: NOW - 1 }))
  t.notOk(revocations.hasClientToken({ ...grant, issuedAt: NOW }))

  revocations.add(toRevocation({ issuedBefore: new Date(NOW - 2 * HOUR).toISOString() }, NOW))
  t.ok(revocations.hasAccessToken(claims({ jti: 'other', applicationId: 'blog', issuedAt: NOW - 3 * HOUR })))
  t.notOk(revocations.hasAccessToken(claims({ jti: 'other', applicationId: 'blog' })))
  t.equal(revocations.list().length, 3)

  now = NOW + DAY + 5 * 60_000 - 1
  t.equal(revocations.list().length, 2, 'a client token may live a day, by a clock that is five minutes ahead')
  now++
  t.same(revocations.list(), [], 'forgotten when no token can be meant any more')
})

t.test('an earlier time does not replace a later one', async t => {
  const revocations = new Revocations(() => NOW)
  revocations.add(toRevocation({ application: 'shop' }, NOW))
  revocations.add(toRevocation({ application: 'shop', issuedBefore: new Date(NOW - 2 * HOUR).toISOString() }, NOW))
  t.ok(revocations.hasAccessToken(claims({})))
})

t.test('a request has to say one thing', async t => {
  for (const bad of [
    {},
    { jti: 'j', application: 'shop' },
    { issuedBefore: 'yesterday' },
    { issuedBefore: new Date(NOW + HOUR).toISOString() }
  ]) {
    t.throws(() => toRevocation(bad, NOW), { code: 121 }, JSON.stringify(bad))
  }
})
