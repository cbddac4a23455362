import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { findPort } from './ports.js'

export interface RedisOptions {
  /** Keep an append-only file and sync it: before every answer, so that `kill` loses nothing, or every second. */
  appendfsync?: 'always' | 'everysec'
  /** A free one unless given. */
  port?: number
  /** Further options of redis-server, as `--name value`. */
  args?: string[]
  /** Of the server, beside that of this process. */
  environment?: Record<string, string>
}

export interface RedisServer {
  url: string
  port: number
  pid: () => number
  /** Ends the server with SIGKILL. */
  kill (): Promise<void>
  /** Starts it again on the same port with the same files. */
  restart (): Promise<void>
  /** Ends the server and removes its files. */
  stop (): Promise<void>
}

/** Starts a redis-server of its own on loopback. */
export async function startRedis ({ appendfsync, port, args = [], environment = {} }: RedisOptions = {}): Promise<RedisServer> {
  const chosen = port ?? await findPort()
  const dir = mkdtempSync(join(tmpdir(), 'postman-redis-'))
  const aof = appendfsync === undefined ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', appendfsync]
  const launch = async (): Promise<ChildProcess> => {
    const child = spawn('redis-server', ['--port', String(chosen), '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...aof, ...args], { stdio: 'ignore', env: { ...process.env, ...environment } })
    await answers(chosen, child)
    return child
  }
  let child = await launch()
  // Whatever way this process ends, the server ends before.
  const killAtExit = (): void => { child.kill('SIGKILL') }
  process.once('exit', killAtExit)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    pid: () => child.pid!,
    kill,
    restart: async () => {
      await kill()
      child = await launch()
    },
    stop: async () => {
      await kill()
      process.off('exit', killAtExit)
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

async function answers (port: number, child: ChildProcess): Promise<void> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => {})
  try {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with exit code ${child.exitCode}`)
      const answer = await Promise.race([client.ping().catch(() => null), sleep(200)])
      if (answer === 'PONG') return
    }
  } finally {
    client.disconnect()
  }
}
