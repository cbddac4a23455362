import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPort } from './ports.js'
import { startServerProcess, type LaunchOptions, type ServerProcess } from './processes.js'

const PING_TIMEOUT_MS = 1_000

interface RedisSettings {
  /** Keep an append-only file and sync it: before every answer, so that `kill` loses nothing, or every second. */
  appendfsync?: 'always' | 'everysec'
  /** Further options of redis-server, as `--name value`. */
  args?: string[]
  /** Variables of the server, beside those of this process. */
  environment?: Record<string, string>
}

export interface RedisProcessOptions extends RedisSettings, Pick<LaunchOptions, 'onOutput'> {
  port: number
  /** The folder of the append-only file. */
  folder: string
  /** A file that the server reads first, and into which it writes its role when that is changed. */
  configFile?: string
}

export interface RedisOptions extends RedisSettings {
  /** A free port unless given. */
  port?: number
}

export interface RedisServer {
  url: string
  port: number
  pid: () => number
  /** Ends the server with SIGKILL. */
  kill (): Promise<void>
  /** Starts the server again on the same port with the same files. */
  restart (): Promise<void>
  /** Ends the server and removes its files. */
  stop (): Promise<void>
}

/** Paths of a key and of its certificate, which is its own authority. */
export interface TlsFiles {
  key: string
  certificate: string
}

/** The settings of a server that takes connections with TLS on a port beside its own. */
export function tlsSettings ({ key, certificate }: TlsFiles, port: number): string[] {
  return [
    `tls-port ${port}`, `tls-cert-file ${certificate}`, `tls-key-file ${key}`, `tls-ca-cert-file ${certificate}`,
    'tls-auth-clients no'
  ]
}

/** The same as options of a redis-server. */
export function tlsArguments (files: TlsFiles, port: number): string[] {
  return tlsSettings(files, port).flatMap(setting => `--${setting}`.split(' '))
}

/** Starts redis-server on loopback. @throws ProcessError */
export async function startRedisProcess (
  { port, folder, configFile, appendfsync, args = [], environment = {}, onOutput }: RedisProcessOptions
): Promise<ServerProcess> {
  const log = appendfsync === undefined ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', appendfsync]
  return await startServerProcess({
    name: 'Redis',
    command: 'redis-server',
    args: [
      ...(configFile === undefined ? [] : [configFile]),
      '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...log, ...args
    ],
    env: { ...process.env, ...environment },
    ...(onOutput === undefined ? {} : { onOutput })
  }, async () => await answersPing(port) ? `redis://127.0.0.1:${port}` : undefined)
}

/** Starts a redis-server on loopback with a folder of its own, which can be killed and started again. */
export async function startRedis ({ port, ...settings }: RedisOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'postman-redis-'))
  const options = { ...settings, folder, port: port ?? await findPort() }
  let server = await startRedisProcess(options)
  const kill = async (): Promise<void> => await server.stop('SIGKILL')
  return {
    url: server.url,
    port: options.port,
    pid: () => server.pid,
    kill,
    restart: async () => {
      await kill()
      server = await startRedisProcess(options)
    },
    stop: async () => {
      await kill()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Whether the server answers a PING; it answers with an error while it still reads its file. */
function answersPing (port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', data => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.setTimeout(PING_TIMEOUT_MS, () => socket.destroy())
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}
