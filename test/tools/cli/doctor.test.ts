import { existsSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import { ReportSchema, type Level, type Line, type Report } from '../../../tools/cli/doctor/report.js'
import { findPort } from '../../../tools/shared/ports.js'
import { startRedisCluster } from '../../../tools/shared/redis-cluster.js'
import { startRedisSentinels } from '../../../tools/shared/redis-sentinels.js'
import { startGateway } from '../../helpers/app.js'
import { runCli } from '../../helpers/cli.js'
import { restrict } from '../../helpers/redis-forms.js'
import { askServer, startServer } from '../../helpers/redis-server.js'
import { createStream, openSandbox } from '../../helpers/sandbox.js'

/** Nobody listens there. */
const AWAY = `http://127.0.0.1:${await findPort()}`
/** Where the doctor is started. */
const FOLDER = t.testdir()
const SECRETS = {
  CLIENT_SECRET_KEY: 'client-secret-of-the-doctor',
  ACCESS_TOKEN_SECRET_KEY: 'access-secret-of-the-doctor',
  ADMIN_TOKEN: 'admin-token-of-the-doctor'
}
const AWS_SECRET = 'aws-secret-of-the-doctor'
const KEYS = { AWS_ACCESS_KEY_ID: 'id-of-the-doctor', AWS_SECRET_ACCESS_KEY: AWS_SECRET }
const ENVIRONMENT = { ...SECRETS, AWS_REGION: 'eu-west-1', SPOOL_MAX_BYTES: '1048576' }

interface Examination {
  code: number | null
  report: Report
  lines: Line[]
  /** The line about this subject. */
  line (subject: string): Line | undefined
  folder: string
}

/** Runs `doctor --json` on a gateway that does not run, unless `--url` says where it does. */
async function examine (
  t: Test, environment: Record<string, string>, args: string[] = [], folder = FOLDER
): Promise<Examination> {
  const result = await runCli(t, ['doctor', '--json', '--url', AWAY, ...args], {
    folder, environment: { ...ENVIRONMENT, AWS_ENDPOINT_URL: AWAY, ...environment }
  })
  t.equal(result.stderr, '')
  for (const secret of [...Object.values(SECRETS), AWS_SECRET, 'password-of-the-gateway']) {
    t.notOk(result.stdout.includes(secret), 'no secret is shown')
  }
  t.notMatch(result.stdout, /\\n +at /, 'no trace is shown')
  const report = JSON.parse(result.stdout) as Report
  t.strictSame([...Value.Errors(ReportSchema, report)], [])
  for (const { level, mend } of report.lines) t.equal(mend === undefined, level === 'ok', 'what is not ok has a mend')
  const { lines } = report
  return {
    code: result.code, report, lines, folder, line: subject => lines.find(line => line.subject === subject)
  }
}

/** The lines as [level, subject, finding], of which the finding has to match. */
function has (
  t: Test, { lines }: Examination, expected: Array<[level: Level, subject: string | RegExp, finding: RegExp]>
): void {
  for (const [level, subject, finding] of expected) {
    const found = lines.filter(line =>
      typeof subject === 'string' ? line.subject === subject : subject.test(line.subject))
    t.ok(
      found.some(line => line.level === level && finding.test(line.finding)),
      `${level} ${String(subject)}: ${String(finding)}`, { found }
    )
  }
}

async function serve (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('a set-up that is right has no fault, and is left as it was', async t => {
  const sandbox = await openSandbox(t)
  await createStream(sandbox.logs, '/web/shop', 'there')
  const folder = t.testdir()
  await mkdir(join(folder, 'spool'))
  await writeFile(join(folder, 'apps.json'), JSON.stringify({
    applications: [{
      id: 'shop',
      clientSecrets: [SECRETS.CLIENT_SECRET_KEY],
      allowedOrigins: ['*'],
      namespaces: ['shop', 'shop/*'],
      logGroups: ['/web/*', '/app'],
      retentionDays: 7
    }]
  }))
  const found = await examine(t, {
    ...KEYS, AWS_ENDPOINT_URL: sandbox.url, APPS_FILE: 'apps.json', DATA_DIR: 'spool'
  }, [], folder)
  has(t, found, [
    ['ok', 'configuration', /^\d+ variables are set; applications in apps\.json: 1$/],
    ['ok', 'clock', /^within 5 s/],
    ['ok', 'CloudWatch in eu-west-1', new RegExp(`^${sandbox.url} can be reached$`)],
    ['ok', 'CloudWatch Logs in eu-west-1', /can be reached$/],
    ['ok', 'credentials', /^found in the environment$/],
    ['ok', 'identity', /^account 000000000000, arn:aws:iam::000000000000:user\/sandbox$/],
    ['ok', 'cloudwatch:PutMetricData', /^allowed for cloudwatch-postman, shop, shop\/\*; tried with a data point of/],
    ['ok', 'logs:PutLogEvents', /^allowed for \/app, \/web\/\*; tried with a log event for a log stream that does not/],
    ['ok', 'logs:CreateLogStream', /^allowed for \/app, \/web\/\*; tried in a log group that does not exist$/],
    ['ok', 'logs:CreateLogGroup', /^allowed for \/app, \/web\/\*; tried with a KMS key that does not exist$/],
    ['ok', 'logs:PutRetentionPolicy', /^allowed for \/app, \/web\/\*; tried for a log group that does not exist$/],
    ['ok', 'Redis', /^not used/],
    ['ok', 'DATA_DIR', /\/spool can be written to$/],
    ['ok', 'disk space', /MiB left/],
    ['ok', 'proxy to AWS', /^none is set$/],
    ['ok', 'proxies before the gateway', /nobody answers at/],
    ['ok', 'gateway', /^none runs at/]
  ])
  t.equal(found.code, 0)
  t.not(found.report.level, 'fault')
  t.strictSame(readdirSync(join(folder, 'spool')), [])
  const { datums, events } = sandbox.ledger()
  t.strictSame({ datums, events }, { datums: 0, events: 0 })
  const { logGroups } = await sandbox.logs.send(new DescribeLogGroupsCommand({}))
  t.strictSame(logGroups!.map(({ logGroupName }) => logGroupName), ['/web/shop'])
})

t.test('permissions are told apart, by the action and by the name', async t => {
  const sandbox = await openSandbox(t)
  await createStream(sandbox.logs, '/there', 'there')
  const denied = (action: string) => ({
    kind: 'refuse' as const,
    action,
    message: `User: arn:aws:iam::000000000000:user/sandbox is not authorized to perform: logs:${action}`
  })
  const actions = ['PutMetricData', 'PutLogEvents', 'CreateLogStream', 'CreateLogGroup', 'PutRetentionPolicy']
  const environment = { ...KEYS, AWS_ENDPOINT_URL: sandbox.url, LOG_RETENTION_DAYS: '7' }

  sandbox.faults.set([...actions, 'SimulatePrincipalPolicy'].map(denied))
  const nothing = await examine(t, environment)
  has(t, nothing, [
    ['ok', 'identity', /^account/],
    ['fault', 'cloudwatch:PutMetricData', /^denied for \*; tried with .*not authorized to perform/],
    ['fault', 'logs:PutLogEvents', /^denied for \*; tried with .*not authorized to perform/],
    ['fault', 'logs:CreateLogStream', /^denied for \*; tried in .*not authorized to perform/],
    ['fault', 'logs:CreateLogGroup', /^denied for \*; tried with .*not authorized to perform/],
    ['fault', 'logs:PutRetentionPolicy', /^denied for \*; tried for .*not authorized to perform/]
  ])
  t.equal(nothing.code, 1)
  t.match(nothing.line('logs:PutLogEvents')!.mend, /iam-policy/)

  // In a group that is there nothing is made: what cannot be tried is simulated, or unknown.
  sandbox.faults.set([denied('SimulatePrincipalPolicy')])
  const named = await examine(t, environment, ['--log-group', '/there'])
  has(t, named, [
    ['ok', 'logs:PutLogEvents', /^allowed for \/there/],
    ['ok', 'logs:CreateLogGroup', /^allowed for \/there/],
    ['warning', 'logs:CreateLogStream', /^unknown for \/there; not tried, as it might leave something behind/],
    ['warning', 'logs:PutRetentionPolicy', /^unknown for \/there; not tried/]
  ])
  t.notOk(named.line('cloudwatch:PutMetricData'), 'what is not named is not tried')
  t.equal(named.code, 0)

  sandbox.faults.set([denied('CreateLogStream')])
  const simulated = await examine(t, environment, ['--log-group', '/there'])
  has(t, simulated, [
    ['fault', 'logs:CreateLogStream', /^denied for \/there; simulated with the policies of the caller$/],
    ['ok', 'logs:PutRetentionPolicy', /^allowed for \/there; simulated/]
  ])
  t.strictSame((await sandbox.logs.send(new DescribeLogGroupsCommand({}))).logGroups!.length, 1)

  // A process that takes requests alone needs none of it.
  sandbox.faults.set(actions.map(denied))
  const web = await examine(t, { ...environment, FORWARDER: 'off' })
  t.equal(web.code, 0)
  t.notOk(web.line('logs:PutLogEvents'))
})

t.test('without credentials, and with those that AWS does not take', async t => {
  const sandbox = await openSandbox(t)
  const without = await examine(t, { AWS_ENDPOINT_URL: sandbox.url })
  has(t, without, [
    ['ok', 'CloudWatch in eu-west-1', /can be reached/],
    ['ok', 'clock', /within/],
    ['fault', 'credentials', /^none were found: /],
    ['warning', 'permissions', /^not tried, as there are no credentials$/]
  ])
  t.equal(without.code, 1)

  sandbox.faults.set([{ kind: 'refuse', code: 'ExpiredTokenException', message: 'The security token is expired' }])
  const expired = await examine(t, { ...KEYS, AWS_ENDPOINT_URL: sandbox.url })
  has(t, expired, [
    ['fault', 'identity', /^AWS refuses the credentials: ExpiredToken: The security token is expired$/],
    ['warning', 'logs:PutLogEvents', /^unknown for \*; .*ExpiredToken/]
  ])
  t.equal(expired.code, 1)
})

t.test('without a way to AWS, to Redis, and to a disk', async t => {
  const folder = t.testdir({ file: 'no folder' })
  const startedAt = performance.now()
  const [away, noRedis] = await Promise.all([
    examine(t, { ...KEYS, DATA_DIR: 'file', HTTPS_PROXY: 'http://proxy.example:3128' }, [], folder),
    examine(t, { ...KEYS, REDIS_URL: 'redis://user:password-of-the-gateway@127.0.0.1:1' }, [], folder)
  ])
  t.ok(performance.now() - startedAt < 30_000)
  has(t, away, [
    ['fault', 'CloudWatch in eu-west-1', /^http:.* cannot be reached: .*ECONNREFUSED/],
    ['fault', 'CloudWatch Logs in eu-west-1', /cannot be reached/],
    ['warning', 'clock', /^unknown, as http:.* does not answer$/],
    ['warning', 'identity', /^unknown, as STS could not be asked: .*ECONNREFUSED/],
    ['warning', 'cloudwatch:PutMetricData', /^unknown for \*/],
    ['warning', 'logs:PutLogEvents', /^unknown for \*/],
    ['warning', 'proxy to AWS', /^HTTPS_PROXY is set, and not used: calls to AWS go straight$/],
    ['fault', 'DATA_DIR', /file is a file, and no folder$/]
  ])
  t.equal(away.code, 1)
  has(t, noRedis, [
    ['fault', 'redis://127.0.0.1:1', /^Redis at redis:\/\/127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/],
    ['ok', 'disk', /^not used/]
  ])
  t.match(noRedis.line('redis://127.0.0.1:1')!.mend, /^Start it, or mend REDIS_URL/)
})

t.test('a folder that nobody can write to, and one that the start makes', async t => {
  const sandbox = await openSandbox(t)
  const environment = { ...KEYS, AWS_ENDPOINT_URL: sandbox.url, FORWARDER: 'off' }
  const made = await examine(t, { ...environment, DATA_DIR: 'of/the/start' }, [], t.testdir())
  has(t, made, [['ok', 'DATA_DIR', /can be written to$/]])
  t.strictSame(readdirSync(made.folder), [])
  // Root may write to every folder of a disk, and to none of /proc.
  if (!existsSync('/proc/self')) return t.comment('SKIPPED: this system has no /proc')
  const unwritable = await examine(t, { ...environment, DATA_DIR: '/proc/spool' })
  has(t, unwritable, [['fault', 'DATA_DIR', /^\/proc cannot be written to: /]])
})

t.test('a clock that is not that of AWS', async t => {
  const answerAt = async (offMs: number): Promise<string> => await serve(t, (_request, response) => {
    response.sendDate = false
    response.writeHead(400, { date: new Date(Date.now() + offMs).toUTCString() }).end('{}')
  })
  const [behind, ahead] = await Promise.all([
    examine(t, { ...KEYS, AWS_ENDPOINT_URL: await answerAt(600_000) }),
    examine(t, { ...KEYS, AWS_ENDPOINT_URL: await answerAt(-60_000) })
  ])
  has(t, behind, [['fault', 'clock', /^(599|600|601) s behind that of AWS: AWS refuses signatures/]])
  has(t, ahead, [['warning', 'clock', /^(59|60|61) s ahead of that of AWS: tokens/]])
})

t.test('every wrong variable is named in one message, and the rest is not looked at', async t => {
  const wrong = await examine(t, { AWS_REGION: 'nowhere', REDIS_URL: 'http://x', CLIENT_SECRET_KEY: '' })
  t.equal(wrong.code, 1)
  has(t, wrong, [
    ['fault', 'configuration', /CLIENT_SECRET_KEY is missing.*\n.*AWS_REGION is wrong.*\n.*REDIS_URL is wrong/],
    ['warning', /^clock, endpoints, credentials/, /^not looked at/]
  ])
  const file = await examine(t, { APPS_FILE: 'absent.json' })
  has(t, file, [['fault', 'configuration', /absent\.json \(APPS_FILE\) cannot be used/]])

  const { code, stdout } = await runCli(t, ['doctor'], { folder: t.testdir(), environment: {} })
  t.equal(code, 1)
  t.match(stdout, /^fault {4}configuration: The configuration cannot be used\.\n {2}CLIENT_SECRET_KEY is missing/)
  t.match(stdout, /\n {9}Mend: /)
  t.match(stdout, /\n0 ok, 1 warning, 1 fault\n$/)
})

t.test('Redis with the documented rights, and with fewer', async t => {
  const server = await startServer(t)
  const environment = { AWS_ENDPOINT_URL: AWAY, FORWARDER: 'off' }
  const url = await restrict(server.url, [server])
  const restricted = await examine(t, { ...environment, REDIS_URL: url })
  const address = `redis://127.0.0.1:${server.port}`
  has(t, restricted, [
    ['ok', address, /^connected: one node$/],
    ['ok', 'version of Redis', /^\d+\.\d+/],
    ['ok', 'rights at Redis', /^every command is allowed for the keys of cloudwatch-postman/],
    ['warning', 'persistence of Redis', /^unknown, as INFO is refused$/],
    ['warning', 'maxmemory-policy of Redis', /^unknown, as INFO is refused$/],
    ['ok', 'latency of Redis', /^an answer takes \d+\.\d ms/]
  ])
  t.equal(restricted.code, 0)

  await askServer(server, async redis => {
    await redis.call('ACL', 'SETUSER', 'gateway', '-xclaim', '-subscribe', '+info', '+config|get')
    await redis.call('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru', 'maxmemory', '2mb')
  })
  const fewer = await examine(t, { ...environment, REDIS_URL: url, SPOOL_MAX_BYTES: '4194304' })
  has(t, fewer, [
    ['fault', 'rights at Redis', /^refused for the keys of cloudwatch-postman: XCLAIM, SUBSCRIBE$/],
    ['fault', 'maxmemory-policy of Redis', /^allkeys-lru: Redis may evict items that wait$/],
    ['warning', 'maxmemory of Redis', /^2 MiB, and SPOOL_MAX_BYTES lets 4 MiB/],
    ['warning', 'persistence of Redis', /^appendonly is no/]
  ])
  t.equal(fewer.code, 1)
  await askServer(server, redis =>
    redis.call('ACL', 'SETUSER', 'gateway', 'resetkeys', '~cloudwatch-postman:*', '~{cloudwatch-postman:*'))
  const otherKeys = await examine(t, { ...environment, REDIS_URL: url, REDIS_PREFIX: 'another' })
  has(t, otherKeys, [['fault', 'rights at Redis', /^refused for the keys of another: GET, SET/]])
  t.strictSame(await askServer(server, redis => redis.keys('*')), [], 'nothing is stored')

  const always = await examine(t, { ...environment, REDIS_URL: server.url, SPOOL_SYNC: 'always' })
  has(t, always, [['fault', 'version of Redis', /SPOOL_SYNC=always needs a Redis/]])
})

t.test('a Redis Cluster, and Sentinels', async t => {
  const [cluster, sentinels] = [await startRedisCluster(), await startRedisSentinels({ sentinels: 1, replicas: 0 })]
  t.teardown(async () => { await Promise.all([cluster.stop(), sentinels.stop()]) })
  const environment = { AWS_ENDPOINT_URL: AWAY, FORWARDER: 'off' }
  const ofCluster = await examine(t, { ...environment, REDIS_URL: cluster.url })
  has(t, ofCluster, [
    ['ok', cluster.url, /^connected: a cluster$/],
    ['ok', 'cluster', /^3 masters, 16384 of 16384 slots$/],
    ['warning', 'replicas', /nobody takes over/]
  ])
  const rights = ofCluster.lines.filter(({ subject }) => /^rights at Redis 127/.test(subject))
  t.strictSame(rights.map(({ level }) => level), ['ok', 'ok', 'ok'])
  const ofSentinels = await examine(t, { ...environment, REDIS_URL: sentinels.url })
  has(t, ofSentinels, [
    ['ok', sentinels.url, /^connected: the master of Sentinels$/],
    ['warning', 'replicas', /^the master main has none/]
  ])
})

t.test('the gateway itself, and a proxy before it', async t => {
  const { url, sandbox } = await startGateway(t, { ADMIN_TOKEN: SECRETS.ADMIN_TOKEN })
  const environment = { ...KEYS, AWS_ENDPOINT_URL: sandbox.url }
  const ready = await examine(t, environment, ['--url', url])
  has(t, ready, [
    ['ok', 'gateway', /, and is ready$/],
    ['ok', 'proxies before the gateway', /^none is trusted \(TRUST_PROXY\); none is seen at http/]
  ])

  const failing = await serve(t, (request, response) => {
    const part = { part: 'logs', class: 'denied' }
    const isAdmin = request.url === '/admin/health' &&
      request.headers.authorization === `Bearer ${SECRETS.ADMIN_TOKEN}`
    response.writeHead(isAdmin ? 200 : 503, { via: '1.1 a proxy', 'content-type': 'application/json' })
    response.end(JSON.stringify({
      status: 'failing', failing: [isAdmin ? { ...part, message: 'not authorized', partial: false } : part]
    }))
  })
  const behind = await examine(t, environment, ['--url', failing])
  has(t, behind, [
    ['fault', 'gateway', /, and is not ready$/],
    ['fault', 'gateway: logs', /^not authorized$/],
    ['warning', 'proxies before the gateway', /^one is seen at .* \(via\), and none is trusted: all clients count/]
  ])
  t.equal(behind.code, 1)
  const strange = await serve(t, (_request, response) => { response.end('<html>') })
  has(t, await examine(t, environment, ['--url', strange]), [['warning', 'gateway', /^something else answers at/]])

  const { code, stderr } = await runCli(t, ['doctor', '--url', 'nowhere'], { folder: t.testdir() })
  t.equal(code, 2)
  t.match(stderr, /^--url must be a URL/)
})
