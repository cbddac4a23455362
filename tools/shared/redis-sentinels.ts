import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findPort } from './ports.js'
import { startServerProcess, type LaunchOptions, type ServerProcess } from './processes.js'
import { startRedis, tlsArguments, tlsSettings, type RedisServer, type TlsFiles } from './redis.js'

const MASTER = 'main'
const HOST = '127.0.0.1'
/** The name that the certificate is made for. */
const TLS_HOST = 'localhost'
const POLL_MS = 20

export interface RedisSentinelsOptions {
  sentinels?: number
  replicas?: number
  /** Milliseconds after which a master that is silent counts as down. */
  downAfterMs?: number
  /** Of the Sentinels themselves. */
  password?: string
  /** Everybody speaks TLS with everybody; the certificate is made for `localhost`. */
  tls?: TlsFiles
  /** Whether Sentinels with TLS name the nodes as they are named themselves, rather than by their IP. */
  announceNames?: boolean
  /** Further options of each redis-server that holds data. */
  args?: string[]
}

export interface RedisSentinels {
  /** Names every Sentinel. */
  url: string
  primary: RedisServer
  replicas: RedisServer[]
  /** Where the Sentinels say that the master is. */
  masterPort (): Promise<number>
  /** Has the Sentinels make a replica the master. */
  failOver (): Promise<void>
  /** Ends the servers and removes their files. */
  stop (): Promise<void>
}

interface SentinelServer {
  port: number
  /** Of the gateway: that with TLS, if there is one. */
  clientPort: number
  stop (): Promise<void>
}

/** @param file its configuration, into which it writes what it learns */
export async function startSentinelProcess (
  port: number, file: string, onOutput: LaunchOptions['onOutput'] = () => {}
): Promise<ServerProcess> {
  return await startServerProcess(
    { name: 'Sentinel', command: 'redis-server', args: [file, '--sentinel'], onOutput },
    async () => `redis://127.0.0.1:${port}`
  )
}

async function startSentinel (lines: string[], tls?: TlsFiles): Promise<SentinelServer> {
  const port = await findPort()
  const tlsPort = tls === undefined ? null : await findPort()
  const secured = tls === undefined ? [] : tlsSettings(tls, tlsPort!)
  const folder = mkdtempSync(join(tmpdir(), 'postman-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...secured, ...lines, ''].join('\n'))
  const server = await startSentinelProcess(port, file)
  return {
    port,
    clientPort: tlsPort ?? port,
    async stop () {
      await server.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

function isUnfit (error: Error): false {
  if (!error.message.startsWith('NOGOODSLAVE')) throw error
  return false
}

/** Starts a server that holds data; other servers find it at `masterPort`. */
async function startDataServer (
  { args = [], tls }: RedisSentinelsOptions, replicaOf?: number
): Promise<{ server: RedisServer, masterPort: number }> {
  const masterPort = await findPort()
  const secured = tls === undefined
    ? []
    : [...tlsArguments(tls, masterPort), '--tls-replication', 'yes', '--replica-announce-ip', TLS_HOST]
  const replica = replicaOf === undefined ? [] : ['--replicaof', tls === undefined ? HOST : TLS_HOST, String(replicaOf)]
  const server = await startRedis({
    ...(tls === undefined ? { port: masterPort } : {}),
    args: ['--repl-diskless-sync-delay', '0', ...secured, ...args, ...replica]
  })
  return { server, masterPort }
}

/** Starts a master, its replicas, and Sentinels that watch them, all on loopback. */
export async function startRedisSentinels (options: RedisSentinelsOptions = {}): Promise<RedisSentinels> {
  const {
    sentinels: sentinelCount = 3, replicas: replicaCount = 1, downAfterMs = 1_000, password, tls, announceNames = true
  } = options
  const host = tls === undefined ? HOST : TLS_HOST
  const { server: primary, masterPort: primaryPort } = await startDataServer(options)
  const replicas: RedisServer[] = []
  for (let i = 0; i < replicaCount; i++) replicas.push((await startDataServer(options, primaryPort)).server)
  const lines = [
    ...(tls === undefined ? [] : ['tls-replication yes', 'sentinel resolve-hostnames yes']),
    ...(tls !== undefined && announceNames ? ['sentinel announce-hostnames yes'] : []),
    `sentinel monitor ${MASTER} ${host} ${primaryPort} ${Math.floor(sentinelCount / 2) + 1}`,
    `sentinel down-after-milliseconds ${MASTER} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER} ${downAfterMs * 10}`,
    ...(password === undefined ? [] : [`requirepass ${password}`])
  ]
  const sentinels: SentinelServer[] = []
  for (let i = 0; i < sentinelCount; i++) sentinels.push(await startSentinel(lines, tls))
  const clients = sentinels.map(({ port }) => {
    const client = new Redis({
      port, retryStrategy: () => POLL_MS, maxRetriesPerRequest: null, ...(password === undefined ? {} : { password })
    })
    client.on('error', () => {})
    return client
  })
  // Until each knows the others and the replicas, they can agree on nothing.
  for (const client of clients) {
    for (;;) {
      const others = await client.call('SENTINEL', 'SENTINELS', MASTER) as unknown[]
      const known = await client.call('SENTINEL', 'REPLICAS', MASTER) as unknown[]
      if (others.length === sentinelCount - 1 && known.length === replicaCount) break
      await sleep(POLL_MS)
    }
  }
  const [asked] = clients as [Redis, ...Redis[]]
  const masterPort = async (): Promise<number> =>
    Number((await asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER) as string[])[1])
  const scheme = tls === undefined ? 'redis' : 'rediss'
  return {
    url: `${scheme}+sentinel://${sentinels.map(({ clientPort }) => `${host}:${clientPort}`).join(',')}/${MASTER}`,
    primary,
    replicas,
    masterPort,
    async failOver () {
      const before = await masterPort()
      // Until the Sentinels have seen lately that a replica is fit, they promote none.
      while (!await asked.call('SENTINEL', 'FAILOVER', MASTER).then(() => true, isUnfit)) await sleep(POLL_MS)
      while (await masterPort() === before) await sleep(POLL_MS)
    },
    async stop () {
      for (const client of clients) client.disconnect()
      await Promise.all([...sentinels, primary, ...replicas].map(server => server.stop()))
    }
  }
}
