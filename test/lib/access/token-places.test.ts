import t from 'tap'
import { bearerOf, findToken, NO_TOKEN, NOT_A_TOKEN } from '../../../lib/access/token-places.js'

t.test('a token is found in any place, and in several when it is the same', async t => {
  t.equal(findToken('a', undefined, undefined), 'a')
  t.equal(findToken(undefined, 'a', ''), 'a')
  t.equal(findToken(undefined, null, 'a'), 'a')
  t.equal(findToken('a', 'a', 'a'), 'a')
  t.equal(findToken(undefined, null, ''), NO_TOKEN)
  t.equal(findToken(), NO_TOKEN)
})

t.test('two tokens, or anything that is no string, are no token', async t => {
  t.equal(findToken('a', 'b'), NOT_A_TOKEN)
  t.equal(findToken('a', undefined, 'b'), NOT_A_TOKEN)
  t.equal(findToken('a', 'a', 'b'), NOT_A_TOKEN)
  for (const bad of [1, true, ['a'], {}]) t.equal(findToken(undefined, bad), NOT_A_TOKEN)
  const list = ['a']
  t.equal(findToken(list, list), NOT_A_TOKEN, 'also in two places')
})

t.test('of an Authorization header the part behind "Bearer" is the token', async t => {
  t.equal(bearerOf(undefined), undefined)
  t.equal(bearerOf('Bearer a.b.c'), 'a.b.c')
  t.equal(bearerOf('bearer   a.b.c'), 'a.b.c')
  t.equal(bearerOf('Basic a.b.c'), 'Basic a.b.c', 'and no token that verifies')
  t.equal(bearerOf('Bearer a b'), 'Bearer a b')
})
