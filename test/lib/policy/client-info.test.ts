import t from 'tap'
import { readBrowser, truncateIp } from '../../../lib/policy/client-info.js'

t.test('addresses are cut to their network', async t => {
  const cases: Array<[string, string | null]> = [
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:0DB8:0001::1', '2001:db8:1::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['::1', '::/48'],
    ['64:ff9b::192.0.2.1', '64:ff9b::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['1::2:3:4:5:6:7', '1:0:2::/48'],
    ['', null],
    ['unix socket', null]
  ]
  for (const [ip, network] of cases) t.equal(truncateIp(ip), network, ip)
})

t.test('browsers are told by family and major version', async t => {
  const chrome =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.61 Safari/537.36'
  const cases: Array<[string | undefined, string]> = [
    [chrome, 'Chrome 126'],
    [`${chrome} Edg/126.0.2592.56`, 'Edge 126'],
    [`${chrome} OPR/111.0.0.0`, 'Opera 111'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox 128'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 ' +
        'Mobile/15E148 Safari/604.1',
      'Safari 17'
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 ' +
        'Mobile/15E148 Safari/604.1',
      'Chrome 126'
    ],
    [
      'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 ' +
        'Mobile Safari/537.36',
      'Samsung Internet 25'
    ],
    ['Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko', 'Internet Explorer 11'],
    ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'Bot'],
    ['Firefox/99999999999', 'Firefox 9999'],
    ['curl/8.9.1', 'Other'],
    ['', 'Other'],
    [undefined, 'Other']
  ]
  for (const [userAgent, browser] of cases) t.equal(readBrowser(userAgent), browser, String(userAgent))
})
