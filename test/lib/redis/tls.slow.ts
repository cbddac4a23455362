import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { nodePort } from '../../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../../tools/shared/redis-sentinels.js'
import { startRedis, tlsArguments } from '../../../tools/shared/redis.js'
import { openEndpoint } from '../../helpers/endpoint.js'
import { connectInProcess, createCertificate } from '../../helpers/redis-tls.js'

const SLOTS = 16_384

const tls = createCertificate(t)
const connect = (url: string): Promise<string> => connectInProcess(url, tls.certificate)

async function start (args: string[] = []): Promise<{ port: number, redis: Redis }> {
  const port = await nodePort()
  const server = await startRedis({ args: [...tlsArguments(tls, port), ...args] })
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  return { port, redis }
}

t.test('one node with TLS: its name and its authority are held against the certificate', async t => {
  const { port } = await start()
  t.equal(await connect(`rediss://localhost:${port}`), 'a node value')
  const misnamed = await connect(`rediss://127.0.0.1:${port}`)
  t.match(misnamed, /^Redis at rediss:.*does not match certificate's altnames.*REDIS_URL/)
  const untrusted = await connectInProcess(`rediss://localhost:${port}`)
  t.match(untrusted, /^Redis at rediss:.*self-signed certificate.*REDIS_URL/)
})

t.test('a connection with TLS that fails twice ends no process', async t => {
  const { port } = await start()
  // The certificate is not made for this address, and what follows it is no TLS.
  const endpoint = await openEndpoint(port, { rewrite: answer => `${answer}\x15\x03\x03\x00\x02\x02\x32` })
  t.teardown(() => endpoint.close())
  t.match(await connect(`rediss://127.0.0.1:${endpoint.port}`), /^Redis at rediss:.*REDIS_URL/)
})

t.test('a cluster with TLS: the names that its nodes announce stay names', async t => {
  const { port, redis } = await start([
    '--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-announce-hostname', 'localhost',
    '--cluster-preferred-endpoint-type', 'hostname'
  ])
  await redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
  while (!String(await redis.cluster('INFO')).includes('cluster_state:ok')) await sleep(20)
  t.equal(await connect(`rediss://localhost:${port}`), 'a cluster value')

  await redis.config('SET', 'cluster-preferred-endpoint-type', 'ip')
  await redis.config('SET', 'cluster-announce-ip', '127.0.0.1')
  const misnamed = new RegExp(`its node 127\\.0\\.0\\.1:${port}: .*does not match certificate's altnames.*REDIS_URL`)
  t.match(await connect(`rediss://localhost:${port}`), misnamed)
})

t.test('Sentinels with TLS, and the nodes that they know: names stay names', async t => {
  const sentinels = await startRedisSentinels({ sentinels: 3, replicas: 1, tls })
  t.teardown(() => sentinels.stop())
  t.equal(await connect(sentinels.url), 'a node value')
  await sentinels.failOver()
  t.equal(await connect(sentinels.url), 'a node value', 'the master that follows')
  t.match(await connectInProcess(sentinels.url), /no Sentinel answers: .*self-signed certificate.*REDIS_URL/)
  const misnamed = await connect(sentinels.url.replaceAll('localhost', '127.0.0.1'))
  t.match(misnamed, /no Sentinel answers: the Sentinel 127\.0\.0\.1:\d+: .*does not match certificate's altnames/)
})

t.test('Sentinels that know the master by its IP: its certificate is not made for that', async t => {
  const sentinels = await startRedisSentinels({ sentinels: 1, replicas: 0, tls, announceNames: false })
  t.teardown(() => sentinels.stop())
  const misnamed = await connect(sentinels.url)
  t.match(misnamed, /its master 127\.0\.0\.1:\d+: .*does not match certificate's altnames.*REDIS_URL/)
})
