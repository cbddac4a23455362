import t from 'tap'
import { createSecretCheck } from '../../../lib/http/secrets.js'

t.test('the secret itself, and no other text of any length', async t => {
  const isSecret = createSecretCheck('a secret')
  t.ok(isSecret('a secret'))
  for (const other of ['', 'a', 'a secre', 'a secret ', 'A secret', 'b secret', 'a secreta secret']) t.notOk(isSecret(other), other)
})
