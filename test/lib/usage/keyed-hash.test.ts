import t from 'tap'
import { createKeyedHash } from '../../../lib/usage/keyed-hash.js'

t.test('is HMAC with SHA-256, of which it keeps the first 64 bits', async t => {
  // RFC 4231, test case 2.
  t.same(createKeyedHash(Buffer.from('Jefe'))('what do ya want for nothing?'), {
    high: 0x5bdcc146, low: 0xbf60754e | 0
  })
})

t.test('tells texts and keys apart', async t => {
  const [one, other] = [createKeyedHash(Buffer.from('one')), createKeyedHash(Buffer.from('other'))]
  const hashes = [
    one('ab'), one('ba'), one('a'), one(''), one('\u0100'), one('\u0001'), other('ab')
  ].map(({ high, low }) => `${high},${low}`)
  t.equal(new Set(hashes).size, hashes.length)
  t.same(one('ab'), one('ab'))
})
