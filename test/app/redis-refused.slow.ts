import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { ConfigurationError } from '../../lib/configuration/configuration-error.js'
import { findPort } from '../../tools/shared/ports.js'
import { nodePort, startRedisCluster } from '../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../tools/shared/redis-sentinels.js'
import { startRedis, tlsArguments, type RedisServer } from '../../tools/shared/redis.js'
import { openEndpoint } from '../helpers/endpoint.js'
import { eventually } from '../helpers/app.js'
import { askServer, startServer } from '../helpers/redis-server.js'
import { createCertificate } from '../helpers/redis-tls.js'
import { startFault, startProcess } from '../helpers/start.js'

const SLOTS = 16_384
const PASSWORD = 'hidden-password'

async function addSlots (server: RedisServer, count = SLOTS): Promise<void> {
  await askServer(server, async redis => {
    await redis.cluster('ADDSLOTS', ...Array.from({ length: count }, (_, slot) => slot))
    if (count < SLOTS) return
    await eventually(async () => String(await redis.cluster('INFO')).includes('cluster_state:ok') ? true : undefined)
  })
}

/** A text of the same length as the version of a server, so that it can take its place in answers. */
function oldVersion (version: string): string {
  return `6.0.${'9'.repeat(version.length)}`.slice(0, version.length)
}

/** A server that says that its version is one of before 6.2, alone or as the one node of a cluster. */
async function startOld (t: Test, inCluster: boolean): Promise<string> {
  const port = await nodePort()
  let version = ''
  const endpoint = await openEndpoint(port, {
    rewrite: answer => version === '' ? answer : answer.replaceAll(version, oldVersion(version))
  })
  t.teardown(() => endpoint.close())
  const announced = ['--cluster-announce-ip', '127.0.0.1', '--cluster-announce-port', String(endpoint.port)]
  const server = await startRedis({ port, args: inCluster ? ['--cluster-enabled', 'yes', ...announced] : [] })
  t.teardown(() => server.stop())
  if (inCluster) await addSlots(server)
  version = await askServer(server, async redis => /redis_version:(\S+)/.exec(await redis.info('server'))![1]!)
  return `redis://127.0.0.1:${endpoint.port}`
}

/** A user who may do everything, but for these rules. */
async function withUser (server: RedisServer, rules: string[]): Promise<string> {
  const whole = ['reset', 'on', `>${PASSWORD}`, '~*', '&*', '+@all']
  await askServer(server, redis => redis.call('ACL', 'SETUSER', 'gateway', ...whole, ...rules))
  return server.url.replace('://', `://gateway:${PASSWORD}@`)
}

async function refuses (t: Test, what: string, url: string, message: RegExp): Promise<void> {
  const fault = await startFault(t, { REDIS_URL: url })
  t.ok(fault instanceof ConfigurationError, `${what}: ${String(fault)}`)
  const text = (fault as Error | null)?.message ?? ''
  t.match(text, message, what)
  t.match(text, /REDIS_URL/, what)
  t.notMatch(text, PASSWORD, 'no secret')
}

t.test('a Redis that cannot be used stops the start with one message that names the setting', async t => {
  const primary = await startServer(t)
  const replica = await startServer(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const bare = await startServer(t, { args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
  await addSlots(bare, SLOTS - 10)
  const cluster = await startRedisCluster({ masters: 3 })
  t.teardown(() => cluster.stop())
  const guarded = cluster.masters[2]!
  await askServer(guarded, redis => redis.config('SET', 'requirepass', 'another-password'))
  const sentinels = await startRedisSentinels({ sentinels: 1, replicas: 0 })
  t.teardown(() => sentinels.stop())
  const [one, other] = cluster.masters as [RedisServer, RedisServer]
  const several = `redis://127.0.0.1:${one.port},127.0.0.1:${other.port}`
  const withPassword = cluster.url.replace('://', `://:${PASSWORD}@`)
  const tooOld = /Redis 6\.0\.\d+ .*is too old.*needs 6\.2 or later/
  const wrongPassword = new RegExp(`its node 127\\.0\\.0\\.1:${guarded.port}: WRONGPASS`)
  const cases: Array<[what: string, url: string, message: RegExp]> = [
    ['a replica', replica.url, /it is a replica/],
    ['slots that no node has', bare.url, /no node has 10 of the 16384 slots/],
    ['a database of a cluster', `${one.url}/1`, /a Redis Cluster has the database 0 alone/],
    ['several addresses of a cluster, and a database', `${several}/1`, /without a database/],
    ['a wrong password on one node', withPassword, wrongPassword],
    ['a master that the Sentinels do not know', `${sentinels.url}-2`, /knows no master of the name/],
    ['no Sentinel', `redis+sentinel://127.0.0.1:${await findPort()}/main`, /no Sentinel answers/],
    ['an old server', await startOld(t, false), tooOld],
    ['an old cluster', await startOld(t, true), tooOld]
  ]
  for (const [what, url, message] of cases) await refuses(t, what, url, message)
})

t.test('a user without the rights that are needed stops the start likewise', async t => {
  const server = await startServer(t)
  await refuses(t, 'scripts', await withUser(server, ['-evalsha', '-eval']), /refuses: NOPERM/)
  await refuses(t, 'keys', await withUser(server, ['resetkeys', '~other:*']), /refuses: NOPERM/)
  await refuses(t, 'channels', await withUser(server, ['resetchannels']), /NOPERM/)
})

t.test('the operator sees one line, and no trace', async t => {
  const tls = createCertificate(t)
  const port = await nodePort()
  const server = await startServer(t, { args: tlsArguments(tls, port) })
  const misnamed = { REDIS_URL: `rediss://127.0.0.1:${port}`, NODE_EXTRA_CA_CERTS: tls.certificate }
  const cases: Array<[what: string, environment: Record<string, string>, line: RegExp]> = [
    ['a name that the certificate is not made for', misnamed, /altnames.*REDIS_URL/],
    ['no right to the channels', { REDIS_URL: await withUser(server, ['resetchannels']) }, /REDIS_URL.*NOPERM/],
    ['nobody confirms', { REDIS_URL: server.url, SPOOL_SYNC: 'always' }, /SPOOL_SYNC=always.*REDIS_URL/]
  ]
  for (const [what, environment, line] of cases) {
    const { exit, output } = startProcess(t, { PORT: String(await findPort()), ...environment })
    t.equal(await exit, 1, what)
    const lines = output().split('\n').filter(text => text !== '' && !text.startsWith('{'))
    t.equal(lines.length, 1, `${what}: ${output()}`)
    t.match(lines[0], line, what)
  }
})

t.test('a user without WAIT: SPOOL_SYNC=always is refused, and it is said why', async t => {
  const primary = await startServer(t, { args: ['--repl-diskless-sync-delay', '0'] })
  await startServer(t, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  const redis = new Redis(primary.url)
  t.teardown(() => redis.disconnect())
  await eventually(async () => (await redis.info('replication')).includes('state=online') ? true : undefined)
  const fault = await startFault(t, { REDIS_URL: await withUser(primary, ['-wait']), SPOOL_SYNC: 'always' }) as Error
  t.ok(fault instanceof ConfigurationError)
  t.match(fault.message, /SPOOL_SYNC=always.*The user of REDIS_URL may not ask WAIT: allow it/)
})
