import t from 'tap'
import { describeAddress, readRedisUrl } from '../../../lib/redis/redis-address.js'

const ACCESS = { tls: false, username: null, password: null, database: 0, family: 0 }

t.test('one node', async t => {
  const node = { ...ACCESS, form: 'node' }
  const read: Array<[url: string, address: object]> = [
    ['redis://h', { ...node, nodes: [{ host: 'h', port: 6_379 }] }],
    ['redis://h:1/', { ...node, nodes: [{ host: 'h', port: 1 }] }],
    ['REDISS://h.example:6380/15', { ...node, tls: true, database: 15, nodes: [{ host: 'h.example', port: 6_380 }] }],
    ['redis://user:p%2Fw%23d@h', { ...node, username: 'user', password: 'p/w#d', nodes: [{ host: 'h', port: 6_379 }] }],
    ['redis://:p,@ss:word!@h', { ...node, password: 'p,@ss:word!', nodes: [{ host: 'h', port: 6_379 }] }],
    ['redis://user@h', { ...node, username: 'user', password: '', nodes: [{ host: 'h', port: 6_379 }] }],
    ['redis://@my_redis', { ...node, nodes: [{ host: 'my_redis', port: 6_379 }] }],
    ['redis://[::1]:2/3', { ...node, database: 3, nodes: [{ host: '::1', port: 2 }] }],
    ['redis://h?family=6', { ...node, family: 6, nodes: [{ host: 'h', port: 6_379 }] }]
  ]
  for (const [url, address] of read) t.same(readRedisUrl(url), address, url)
})

t.test('nodes of a cluster, and Sentinels', async t => {
  t.same(readRedisUrl('redis://user:p%40ss@h1:1,h2,[::1]:3'), {
    ...ACCESS,
    form: 'cluster',
    username: 'user',
    password: 'p@ss',
    nodes: [{ host: 'h1', port: 1 }, { host: 'h2', port: 6_379 }, { host: '::1', port: 3 }]
  })
  const withDatabase = { form: 'cluster', tls: true, database: 1 }
  t.match(readRedisUrl('rediss://h1,h2/1'), withDatabase, 'whoever reads it refuses the database')
  t.same(readRedisUrl('redis+sentinel://:pass@h1:1,h2/my-master'), {
    ...ACCESS,
    form: 'sentinel',
    password: 'pass',
    master: 'my-master',
    nodes: [{ host: 'h1', port: 1 }, { host: 'h2', port: 26_379 }]
  })
  t.match(readRedisUrl('rediss+sentinel://h/main/2'), {
    form: 'sentinel', tls: true, master: 'main', database: 2, nodes: [{ port: 26_379 }]
  })
})

t.test('what is none of these is not guessed', async t => {
  for (const url of [
    '', 'h', 'redis://', 'redis:///1', 'redis://h,', 'redis://,h', 'redis://h1;h2', 'redis://h:65536', 'redis://h:',
    'redis://h1,h2:port', 'redis://h1, h2', 'redis://h/telemetry', 'redis://h/-1', 'redis://h/1/2', 'redis://h?db=1',
    'redis://h#1', 'redis://u:p@h1,u:p@h2', 'redis://:100%@h', 'redis://[1]:6379', 'redis://[::g]',
    'redis+sentinel://h', 'redis+sentinel://h/', 'redis+sentinel://h/a b', 'redis+sentinel://h/main/one',
    'sentinel://h/main', 'redis+cluster://h', 'valkey://h', 'unix:///redis.sock'
  ]) t.equal(readRedisUrl(url), null, url)
})

t.test('an address is shown without user and password', async t => {
  const shown: Array<[url: string, text: string]> = [
    ['redis://hidden:hidden@h', 'redis://h:6379'],
    ['rediss://hidden:hidden@h1:1,[::1]', 'rediss://h1:1,[::1]:6379'],
    ['rediss+sentinel://:hidden@h/main', 'rediss+sentinel://h:26379/main']
  ]
  for (const [url, text] of shown) t.equal(describeAddress(readRedisUrl(url)!), text)
})
