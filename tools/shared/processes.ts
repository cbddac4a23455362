import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from './ports.js'
import { BUILD, ROOT } from './root.js'

/** Kept of what a process writes, to show when it fails. */
const MAX_OUTPUT_CHARACTERS = 8_000
const START_TIMEOUT_MS = 30_000
/** Longer than the gateway's own grace. */
const STOP_TIMEOUT_MS = 20_000
const POLL_MS = 50

type Environment = Record<string, string | undefined>

/** A process did not start, or ended by itself. */
export class ProcessError extends Error {
  override name = 'ProcessError'
  /** The end of what the process wrote. */
  readonly output: string
  /** The signal that has ended it; null when none has. */
  readonly signal: NodeJS.Signals | null
  /** Null when it has not ended by itself. */
  readonly exitCode: number | null

  constructor (message: string, output: string, signal: NodeJS.Signals | null = null, exitCode: number | null = null) {
    super(message)
    this.output = output.trim()
    this.signal = signal
    this.exitCode = exitCode
  }
}

/** A server in a process of its own, ready to be called. */
export interface ServerProcess {
  url: string
  pid: number
  /** Rejects with a ProcessError when the process ends; never resolves. */
  ended: Promise<never>
  /** Sends the signal and waits for the end, which it enforces after a while. May be called twice. */
  stop (signal?: NodeJS.Signals): Promise<void>
}

interface Running extends Omit<ServerProcess, 'url' | 'pid'> {
  child: ChildProcess
  output (): string
}

export interface GatewayProcessOptions {
  /** Absent: the app of the build that this code is of. */
  app?: string
  /** Answers 200 when the gateway is ready. Absent: it can store and deliver. */
  readyPath?: string
  /** Gets all that the process writes. */
  onOutput?: (chunk: string) => void
}

const running = new Set<Running>()
let closed = false

/** Whatever way this process ends, its children end before. */
process.on('exit', () => {
  for (const { child } of running) child.kill('SIGKILL')
})

/** Stops every process, the last started first; none starts after. */
export async function stopAllProcesses (): Promise<void> {
  closed = true
  for (const server of [...running].reverse()) await server.stop()
}

/** In a process group of its own, so that Ctrl-C reaches this process alone, which then stops it in good order. */
function run (name: string, command: string, args: string[], { onOutput, ...options }: SpawnOptions & Pick<GatewayProcessOptions, 'onOutput'>): Running {
  if (closed) throw new ProcessError(`${name} is not started any more.`, '')
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-MAX_OUTPUT_CHARACTERS)
      onOutput?.(chunk)
    })
  }
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', error => reject(new ProcessError(`${name} could not be started: ${error.message}`, output)))
    child.once('close', (code, signal) => reject(new ProcessError(`${name} has ended (${signal ?? `exit code ${code}`}).`, output, signal, code)))
  })
  ended.catch(() => running.delete(server))

  async function stop (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!running.has(server)) return
    const enforce = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    child.kill(signal)
    await ended.catch(() => {})
    clearTimeout(enforce)
  }

  const server: Running = { child, ended, stop, output: () => output }
  running.add(server)
  return server
}

/** Waits until the server is ready, or stops it. */
async function whenReady (name: string, server: Running, ready: () => Promise<string | undefined>): Promise<ServerProcess> {
  const deadline = Date.now() + START_TIMEOUT_MS
  try {
    for (;;) {
      const url = await Promise.race([ready(), server.ended])
      if (url !== undefined) return { url, pid: server.child.pid!, ended: server.ended, stop: server.stop }
      if (Date.now() > deadline) throw new ProcessError(`${name} is not ready after ${START_TIMEOUT_MS / 1000} s.`, server.output())
      await sleep(POLL_MS)
    }
  } catch (error) {
    await server.stop('SIGKILL')
    throw error
  }
}

async function answersOk (url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** Starts the built sandbox on a free port. @throws ProcessError */
export async function startSandboxProcess (): Promise<ServerProcess> {
  const name = 'The CloudWatch sandbox'
  const server = run(name, process.execPath, [join(BUILD, 'tools/sandbox/main.js'), '--port', '0'], { cwd: ROOT })
  return await whenReady(name, server, async () => /^(http:\S+)\n/.exec(server.output())?.[1])
}

/**
 * Starts the built gateway the way `npm start` does, and waits until it can store and deliver.
 * @param cwd a folder without `.env`, so that the environment alone counts
 * @throws ProcessError
 */
export async function startGatewayProcess (environment: Environment, port: number, cwd: string, options: GatewayProcessOptions = {}): Promise<ServerProcess> {
  const { app = join(BUILD, 'app.js'), readyPath = '/health/ready', onOutput } = options
  const name = 'The gateway'
  const url = `http://127.0.0.1:${port}`
  const args = [join(ROOT, 'node_modules/.bin/fastify'), 'start', '-c', join(ROOT, 'fastify.config.cjs'), app]
  const env = { ...environment, PORT: String(port), HOST: '127.0.0.1', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' }
  const server = run(name, process.execPath, args, { cwd, env, ...(onOutput === undefined ? {} : { onOutput }) })
  return await whenReady(name, server, async () => await answersOk(`${url}${readyPath}`) ? url : undefined)
}

/**
 * Starts redis-server with an append-only file that is on the disk before each answer.
 * @param cwd where the file is
 * @throws ProcessError
 */
export async function startRedisProcess (port: number, cwd: string, onOutput: (chunk: string) => void): Promise<ServerProcess> {
  const name = 'Redis'
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
  const server = run(name, 'redis-server', args, { cwd, onOutput })
  return await whenReady(name, server, async () => await answersPing(port) ? `redis://127.0.0.1:${port}` : undefined)
}

/** Redis answers with an error while it still reads its file. */
function answersPing (port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', data => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })
}

/** Starts moto_server on a free port. @throws ProcessError */
export async function startMotoProcess (): Promise<ServerProcess> {
  const name = 'moto_server'
  const port = await findPort()
  const url = `http://127.0.0.1:${port}`
  const server = run(name, 'moto_server', ['-H', '127.0.0.1', '-p', String(port)], { cwd: ROOT })
  return await whenReady(name, server, async () => await answersOk(`${url}/moto-api/`) ? url : undefined)
}
