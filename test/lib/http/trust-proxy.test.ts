import t from 'tap'
import { readTrustProxy } from '../../../lib/http/trust-proxy.js'

t.test('nobody, everybody, a number of proxies, or their addresses', async t => {
  for (const nobody of [undefined, '', ' ', 'false']) t.equal(readTrustProxy(nobody), false)
  t.equal(readTrustProxy('true'), true)
  const two = readTrustProxy('2') as (address: string, hop: number) => boolean
  t.same([two('a', 0), two('b', 1), two('c', 2)], [true, true, false])
  t.same(readTrustProxy('10.0.0.0/8, ::1,loopback, 2001:db8::/32'), ['10.0.0.0/8', '::1', 'loopback', '2001:db8::/32'])
})

t.test('what it cannot be is named', async t => {
  for (const wrong of ['yes', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::1/129', '1.2.3.4,', '-1']) {
    t.throws(() => readTrustProxy(wrong), { message: /^TRUST_PROXY is wrong: it must be/ }, wrong)
  }
})
