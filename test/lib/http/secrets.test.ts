import t from 'tap'
import { createSecretCheck, createSecretFilter } from '../../../lib/http/secrets.js'

t.test('the secret itself, and no other text of any length', async t => {
  const isSecret = createSecretCheck('a secret')
  t.ok(isSecret('a secret'))
  for (const other of ['', 'a', 'a secre', 'a secret ', 'A secret', 'b secret', 'a secreta secret']) {
    t.notOk(isSecret(other), other)
  }
})

t.test('strikes secrets out of text, in the forms of URLs, headers and JSON, too', async t => {
  let secrets = ['p&ss w/rd', 'short', 'with "quotes"']
  const strike = createSecretFilter(() => secrets)
  t.equal(
    strike('key p&ss w/rd, p%26ss%20w%2Frd and cCZzcyB3L3Jk in one short text'),
    'key [secret], [secret] and [secret] in one short text'
  )
  t.equal(strike(JSON.stringify({ key: 'with "quotes"' })), '{"key":"[secret]"}')
  t.equal(strike('nothing'), 'nothing')
  secrets = [...secrets, 'nothing']
  t.equal(strike('nothing'), '[secret]', 'those in force now')
})
