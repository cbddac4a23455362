import t from 'tap'
import { createVerifier } from 'fast-jwt'
import { createClientToken, type ClientTokenOptions } from '../../package/token.js'

const SECRET = 'secret-of-the-client'
const verify = createVerifier({ key: SECRET, algorithms: ['HS256'] })

t.test('a token names application, id, scope and its times', async t => {
  const before = Math.floor(Date.now() / 1_000)
  const token = createClientToken({
    secret: SECRET,
    application: 'shop',
    expiresInSeconds: 60,
    scope: { logStreams: ['session-17'], namespaces: undefined } as never,
    id: 'visit-4'
  })
  const { iat, exp, ...claims } = verify(token) as { iat: number, exp: number }
  t.strictSame(claims, { iss: 'shop', jti: 'visit-4', scope: { logStreams: ['session-17'] } })
  t.equal(exp - iat, 60)
  t.ok(iat >= before && iat <= Date.now() / 1_000)
})

t.test('the secret alone is enough: for the one application, for a day, once', async t => {
  const claims = () =>
    verify(createClientToken({ secret: SECRET })) as Record<'iss' | 'jti', string> & Record<'iat' | 'exp', number>
  const { iss, jti, iat, exp } = claims()
  t.equal(iss, 'default')
  t.equal(exp - iat, 86_400)
  t.match(jti, /^[\da-f-]{36}$/)
  t.not(claims().jti, jti)
})

t.test('a wrong option is named, and its value is not shown', async t => {
  const wrong: Array<[Partial<Record<keyof ClientTokenOptions, unknown>>, RegExp]> = [
    [{ secret: 'tooshort' }, /secret must be a string of 16 characters or more/],
    [{ secret: undefined }, /secret must be/],
    [{ application: 'two words' }, /application must be/],
    [{ expiresInSeconds: 0 }, /expiresInSeconds must be an integer from 1 to 86400/],
    [{ expiresInSeconds: 86_401 }, /expiresInSeconds/],
    [{ expiresInSeconds: 1.5 }, /expiresInSeconds/],
    [{ scope: { namespace: ['shop'] } }, /scope must be lists of globs/],
    [{ scope: { namespaces: 'shop' } }, /scope/],
    [{ scope: null }, /scope/],
    [{ scope: ['shop'] }, /scope/],
    [{ id: '' }, /id must be/]
  ]
  for (const [options, message] of wrong) {
    t.throws(() => createClientToken({ secret: SECRET, ...options } as never), { name: 'TypeError', message })
  }
  t.throws(() => createClientToken({ secret: 'tooshort' }), { message: /^(?!.*tooshort)/ })
})
