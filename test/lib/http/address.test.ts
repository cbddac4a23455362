import t from 'tap'
import { readAddress } from '../../../lib/http/address.js'

t.test('an address is read without its port, its brackets and its zone', async t => {
  const addresses = {
    '203.0.113.8': '203.0.113.8',
    '203.0.113.8:50000': '203.0.113.8',
    '2001:db8::1': '2001:db8::1',
    '[2001:db8::1]': '2001:db8::1',
    '[2001:db8::1]:443': '2001:db8::1',
    'fe80::1%eth0': 'fe80::1',
    '::ffff:203.0.113.8': '203.0.113.8',
    '[::ffff:203.0.113.8]:443': '203.0.113.8'
  }
  for (const [text, address] of Object.entries(addresses)) t.equal(readAddress(text), address, text)
})

t.test('what is no address is none', async t => {
  for (const text of [
    '',
    'unknown',
    '_hidden',
    '203.0.113',
    '203.0.113.8.9',
    '203.0.113.8:port',
    '203.0.113.8:500000',
    '[203.0.113.8',
    '[]:80',
    '::ffff:1.2.3',
    '0x7f000001',
    '"203.0.113.8"',
    '<script>',
    '1'.repeat(8_000)
  ]) {
    t.equal(readAddress(text), null, text.slice(0, 40))
  }
})
