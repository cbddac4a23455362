import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t from 'tap'
import { parse } from 'yaml'
import { ConfigSchema } from '../../../schemas/config.js'
import { startRedis } from '../../../tools/shared/redis.js'
import { ROOT } from '../../../tools/shared/root.js'

interface Service {
  image: string
  command?: string[]
  environment?: Record<string, string>
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  stop_grace_period?: string
  ports?: string[]
  volumes?: string[]
  profiles?: string[]
  healthcheck?: object
  depends_on?: Record<string, { condition: string }>
}

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
/** The time after SHUTDOWN_GRACE_MS in which a gateway ends: fastify.config.cjs. */
const CLOSING_MS = 5_000
const document = parse(read('compose.yaml'), { merge: true }) as { services: Record<string, Service>, volumes: object }
type Name = 'gateway' | 'worker' | 'valkey' | 'sandbox'
const { gateway, worker, valkey, sandbox } = document.services as Record<Name, Service>

/** The names of https://docs.docker.com/reference/compose-file/services/ that the file may use. */
const SERVICE_NAMES = new Set([
  'build', 'cap_drop', 'command', 'depends_on', 'env_file', 'environment', 'healthcheck', 'image', 'init', 'networks', 'ports',
  'profiles', 'read_only', 'restart', 'security_opt', 'stop_grace_period', 'tmpfs', 'ulimits', 'user', 'volumes'
])

t.test('its services have names of the Compose specification alone', async t => {
  for (const [name, service] of Object.entries(document.services)) {
    for (const field of Object.keys(service)) t.ok(SERVICE_NAMES.has(field), `${name}.${field}`)
  }
})

t.test('what it sets are variables of the gateway or of the SDK', async t => {
  for (const service of [gateway, worker]) {
    for (const name of Object.keys(service.environment!)) {
      t.ok(name in ConfigSchema.properties || name.startsWith('AWS_'), name)
    }
    t.match(service.environment, { HOST: '0.0.0.0', REDIS_URL: 'redis://valkey:6379' })
    t.same(service.depends_on, { valkey: { condition: 'service_healthy' } })
  }
  t.equal(gateway.environment!.FORWARDER, 'off')
  t.equal(worker.environment!.FORWARDER, 'only')
  t.same(gateway.ports, [`\${PORT:-8080}:${gateway.environment!.PORT}`])
})

t.test('every service has a root that is read-only, and no rights; only the gateway is published', async t => {
  for (const [name, service] of Object.entries(document.services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    if (name !== 'gateway') t.notOk(service.ports, name)
  }
})

t.test('a gateway has time to end, and the image\'s own health check', async t => {
  const grace = ConfigSchema.properties.SHUTDOWN_GRACE_MS.default as number
  for (const { stop_grace_period: period, healthcheck } of [gateway, worker]) {
    t.ok(Number(/^(\d+)s$/.exec(period!)![1]) * 1_000 > grace + CLOSING_MS)
    t.notOk(healthcheck)
  }
  for (const { healthcheck } of [valkey, sandbox]) t.ok(healthcheck)
})

t.test('its Valkey loses nothing that it need not, and refuses later than the spool', async t => {
  t.same(valkey.volumes, ['valkey:/data'])
  t.ok('valkey' in document.volumes)
  const [server, ...args] = valkey.command!
  t.equal(server, 'valkey-server')
  const redis = await startRedis({ args })
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const [, limit] = await client.config('GET', 'maxmemory') as [string, string]
  t.ok(Number(limit) > (ConfigSchema.properties.SPOOL_MAX_BYTES.default as number))
  t.same(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction'])
  t.same(await client.config('GET', 'appendonly'), ['appendonly', 'yes'])
  t.same(await client.config('GET', 'appendfsync'), ['appendfsync', 'everysec'])
})

t.test('its sandbox is started on demand, by a file of the image', async t => {
  t.same(sandbox.profiles, ['sandbox'])
  t.equal(sandbox.image, gateway.image)
  const [node, script] = sandbox.command!
  t.equal(node, 'node')
  const { files } = JSON.parse(read('package.json')) as { files: string[] }
  t.ok(files.some(path => script!.startsWith(`${path}/`)), script)
  t.ok(existsSync(join(ROOT, script!.replace(/^dist\//, '').replace(/\.js$/, '.ts'))), script)
})
