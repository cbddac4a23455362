import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findPort } from './ports.js'
import { startServerProcess, type LaunchOptions, type ServerProcess } from './processes.js'
import { startRedis, type RedisServer } from './redis.js'

const MASTER = 'main'
const POLL_MS = 20

export interface RedisSentinelsOptions {
  sentinels?: number
  replicas?: number
  /** Milliseconds after which a master that is silent counts as down. */
  downAfterMs?: number
  /** Of the Sentinels themselves. */
  password?: string
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

async function startSentinel (lines: string[]): Promise<SentinelServer> {
  const port = await findPort()
  const folder = mkdtempSync(join(tmpdir(), 'postman-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, ...lines, ''].join('\n'))
  const server = await startSentinelProcess(port, file)
  return {
    port,
    async stop () {
      await server.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Starts a master, its replicas, and Sentinels that watch them, all on loopback. */
export async function startRedisSentinels (
  {
    sentinels: sentinelCount = 3,
    replicas: replicaCount = 1,
    downAfterMs = 1_000,
    password,
    args = []
  }: RedisSentinelsOptions = {}
): Promise<RedisSentinels> {
  const dataArgs = ['--repl-diskless-sync-delay', '0', ...args]
  const primary = await startRedis({ args: dataArgs })
  const replicas: RedisServer[] = []
  for (let i = 0; i < replicaCount; i++) {
    replicas.push(await startRedis({ args: [...dataArgs, '--replicaof', '127.0.0.1', String(primary.port)] }))
  }
  const lines = [
    `sentinel monitor ${MASTER} 127.0.0.1 ${primary.port} ${Math.floor(sentinelCount / 2) + 1}`,
    `sentinel down-after-milliseconds ${MASTER} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER} ${downAfterMs * 10}`,
    ...(password === undefined ? [] : [`requirepass ${password}`])
  ]
  const sentinels: SentinelServer[] = []
  for (let i = 0; i < sentinelCount; i++) sentinels.push(await startSentinel(lines))
  const clients = sentinels.map(({ port }) => {
    const client = new Redis({
      port,
      retryStrategy: () => POLL_MS,
      maxRetriesPerRequest: null,
      ...(password === undefined ? {} : { password })
    })
    client.on('error', () => {})
    return client
  })
  // Until each knows the others and the replicas, they can agree on nothing.
  for (const client of clients) {
    for (;;) {
      const [others, known] = [
        await client.call('SENTINEL', 'SENTINELS', MASTER), await client.call('SENTINEL', 'REPLICAS', MASTER)
      ] as unknown[][]
      if (others!.length === sentinelCount - 1 && known!.length === replicaCount) break
      await sleep(POLL_MS)
    }
  }
  const [asked] = clients as [Redis, ...Redis[]]
  const masterPort = async (): Promise<number> =>
    Number((await asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER) as string[])[1])
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`,
    primary,
    replicas,
    masterPort,
    async failOver () {
      const before = await masterPort()
      await asked.call('SENTINEL', 'FAILOVER', MASTER)
      while (await masterPort() === before) await sleep(POLL_MS)
    },
    async stop () {
      for (const client of clients) client.disconnect()
      await Promise.all([...sentinels, primary, ...replicas].map(server => server.stop()))
    }
  }
}
