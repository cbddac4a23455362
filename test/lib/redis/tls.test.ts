import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { Redis } from 'ioredis'
import { findPort } from '../../../tools/shared/ports.js'
import { startRedis } from '../../../tools/shared/redis.js'

const SCRIPT = fileURLToPath(new URL('../../helpers/connect-once.js', import.meta.url))
const SLOTS = 16_384
/** The bus of a cluster listens 10,000 above. */
const MAX_NODE_PORT = 55_000

const folder = mkdtempSync(join(tmpdir(), 'postman-tls-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
execFileSync('openssl', [
  'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
  '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate
], { stdio: 'ignore' })

async function tlsPort (): Promise<number> {
  for (;;) {
    const port = await findPort()
    if (port < MAX_NODE_PORT) return port
  }
}

/** What a gateway that trusts our authority, or does not, finds there. */
async function connect (url: string, trusts = true): Promise<string> {
  const env = trusts ? { ...process.env, NODE_EXTRA_CA_CERTS: certificate } : process.env
  return (await promisify(execFile)(process.execPath, [SCRIPT, url], { env })).stdout.trim()
}

async function start (args: string[] = []): Promise<{ port: number, redis: Redis }> {
  const port = await tlsPort()
  const server = await startRedis({
    args: ['--tls-port', String(port), '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no', ...args]
  })
  t.teardown(() => server.stop())
  const redis = new Redis(server.url)
  t.teardown(() => redis.disconnect())
  return { port, redis }
}

t.test('one node with TLS: its name and its authority are held against the certificate', async t => {
  const { port } = await start()
  t.equal(await connect(`rediss://localhost:${port}`), 'a node value')
  t.match(await connect(`rediss://127.0.0.1:${port}`), /^Redis at rediss:.*does not match certificate's altnames.*REDIS_URL/)
  t.match(await connect(`rediss://localhost:${port}`, false), /^Redis at rediss:.*self-signed certificate.*REDIS_URL/)
})

t.test('a cluster with TLS: the names that its nodes announce stay names', async t => {
  const { port, redis } = await start([
    '--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'
  ])
  await redis.cluster('ADDSLOTS', ...Array.from({ length: SLOTS }, (_, slot) => slot))
  while (!String(await redis.cluster('INFO')).includes('cluster_state:ok')) await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(await connect(`rediss://localhost:${port}`), 'a cluster value')

  await redis.config('SET', 'cluster-preferred-endpoint-type', 'ip')
  await redis.config('SET', 'cluster-announce-ip', '127.0.0.1')
  t.match(await connect(`rediss://localhost:${port}`), new RegExp(`its node 127\\.0\\.0\\.1:${port}: .*does not match certificate's altnames`))
})
