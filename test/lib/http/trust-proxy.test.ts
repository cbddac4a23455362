import Fastify from 'fastify'
import t from 'tap'
import { readTrustProxy } from '../../../lib/http/trust-proxy.js'

t.test('nobody, everybody, a number of proxies, or their addresses', async t => {
  for (const nobody of [undefined, '', ' ', 'false']) t.equal(readTrustProxy(nobody), false)
  t.equal(readTrustProxy('true'), true)
  t.type(readTrustProxy('10.0.0.0/8, ::1,loopback, 2001:db8::/32'), 'function')
})

t.test('Fastify takes what is given, and believes those proxies alone', async t => {
  async function ipOf (value: string, forwarded: string): Promise<string> {
    const fastify = Fastify({ trustProxy: readTrustProxy(value)! })
    fastify.get('/', async ({ ip }) => ip)
    return (await fastify.inject({
      url: '/', remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': forwarded }
    })).body
  }
  const chain = '198.51.100.1, 2001:db8::1, 10.0.0.2'
  t.equal(await ipOf('', chain), '10.0.0.1')
  t.equal(await ipOf('0', chain), '10.0.0.1')
  t.equal(await ipOf('1', chain), '10.0.0.2')
  t.equal(await ipOf('2', chain), '2001:db8::1')
  t.equal(await ipOf('true', chain), '198.51.100.1')
  t.equal(await ipOf('10.0.0.0/8', chain), '2001:db8::1')
  t.equal(await ipOf('10.0.0.0/8, 2001:db8::/32', chain), '198.51.100.1')
  t.equal(
    await ipOf('10.0.0.0/8, 2001:db8::/32', '198.51.100.1:50000, [2001:db8::1]:443, 10.0.0.2:80'),
    '198.51.100.1:50000',
    'proxies that add ports'
  )
  t.equal(
    await ipOf('loopback, 10.0.0.0/8', '198.51.100.1, 0x7f000001'),
    '0x7f000001',
    'an address that no proxy writes is not believed'
  )
})

t.test('what Fastify could not read, or would read as an address that nobody meant, is null', async t => {
  for (const wrong of [
    'yes', '10.0.0', '10.0.0/8', '123', '0x7f000001', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/', '10.0.0.0/8/8',
    '::1/129', '1.2.3.4,', '-1'
  ]) {
    t.equal(readTrustProxy(wrong), null, wrong)
  }
})
