import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from './ports.js'
import { BUILD, ROOT } from './root.js'

/** Characters of a process's output that are kept, to be shown when it fails. */
const MAX_OUTPUT_CHARACTERS = 8_000
const START_TIMEOUT_MS = 30_000
/** A longer time than the gateway's own grace. */
const STOP_TIMEOUT_MS = 20_000
const POLL_MS = 25
/** Wherever npm has put it: beside the package, or below it. */
const FASTIFY_CLI = createRequire(import.meta.url).resolve('fastify-cli/cli.js')

export type Environment = Record<string, string | undefined>

/** The variables that a process needs to run at all; none of them configures the gateway. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TEMP', 'TMP', 'SystemRoot']

/** The environment of a process that nothing in this process's environment configures. */
export function bareEnvironment (): Environment {
  return Object.fromEntries(INHERITED.map(name => [name, process.env[name]]))
}

/** A process did not start, or ended by itself. */
export class ProcessError extends Error {
  override name = 'ProcessError'
  /** The end of the process's output. */
  readonly output: string
  /** The signal that has ended it; null when none has. */
  readonly signal: NodeJS.Signals | null
  /** Null when the process has not ended by itself. */
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

export interface LaunchOptions extends Pick<SpawnOptions, 'cwd' | 'env'> {
  /** The name of the server in messages. */
  name: string
  command: string
  args: string[]
  /** Called with each piece of the process's output. */
  onOutput?: (chunk: string) => void
}

export interface GatewayProcessOptions extends Pick<LaunchOptions, 'onOutput'> {
  /** Path of `app.js`. Absent: the app of the build that this code belongs to. */
  app?: string
  /** A path that answers 200 when the gateway is ready. Absent: the path of readiness. */
  readyPath?: string
  /** Starts another gateway than that of `app`. */
  command?: readonly string[]
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

/**
 * Spawns a process in a group of its own, so that Ctrl-C reaches only this process, which then stops it in good order.
 */
function run ({ name, command, args, onOutput, ...options }: LaunchOptions): Running {
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
    child.once('close', (code, signal) => {
      reject(new ProcessError(`${name} has ended (${signal ?? `exit code ${code}`}).`, output, signal, code))
    })
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
async function whenReady (
  name: string, server: Running, findUrl: () => Promise<string | undefined>
): Promise<ServerProcess> {
  const deadline = Date.now() + START_TIMEOUT_MS
  try {
    for (;;) {
      const url = await Promise.race([findUrl(), server.ended])
      if (url !== undefined) return { url, pid: server.child.pid!, ended: server.ended, stop: server.stop }
      if (Date.now() > deadline) {
        throw new ProcessError(`${name} is not ready after ${START_TIMEOUT_MS / 1_000} s.`, server.output())
      }
      await sleep(POLL_MS)
    }
  } catch (error) {
    await server.stop('SIGKILL')
    throw error
  }
}

/**
 * Starts a server and waits until it can be called.
 * @param findUrl called until it returns the URL of the server, with the output so far
 * @throws ProcessError
 */
export async function startServerProcess (
  options: LaunchOptions, findUrl: (output: string) => Promise<string | undefined>
): Promise<ServerProcess> {
  const server = run(options)
  return await whenReady(options.name, server, () => findUrl(server.output()))
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
  const args = [join(BUILD, 'tools/sandbox/main.js'), '--port', '0']
  return await startServerProcess(
    { name: 'The CloudWatch sandbox', command: process.execPath, args, cwd: ROOT },
    async output => /^(http:\S+)\n/.exec(output)?.[1]
  )
}

/**
 * Starts the built gateway the way `npm start` does, and waits until it can store and deliver.
 * @param cwd a folder without `.env`, so that the environment alone counts
 * @throws ProcessError
 */
export async function startGatewayProcess (
  environment: Environment, port: number, cwd: string, options: GatewayProcessOptions = {}
): Promise<ServerProcess> {
  const { app = join(BUILD, 'app.js'), readyPath = '/health/ready', onOutput } = options
  const url = `http://127.0.0.1:${port}`
  const [command, ...args] = (
    options.command ?? [process.execPath, FASTIFY_CLI, 'start', '-c', join(ROOT, 'fastify.config.cjs'), app]
  ) as [string, ...string[]]
  const env = {
    ...environment,
    PORT: String(port),
    HOST: '127.0.0.1',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'
  }
  return await startServerProcess(
    { name: 'The gateway', command, args, cwd, env, ...(onOutput === undefined ? {} : { onOutput }) },
    async () => await answersOk(`${url}${readyPath}`) ? url : undefined
  )
}

/** Starts moto_server on a free port. @throws ProcessError */
export async function startMotoProcess (): Promise<ServerProcess> {
  const port = await findPort()
  const url = `http://127.0.0.1:${port}`
  const args = ['-H', '127.0.0.1', '-p', String(port)]
  return await startServerProcess(
    { name: 'moto_server', command: 'moto_server', args, cwd: ROOT },
    async () => await answersOk(`${url}/moto-api/`) ? url : undefined
  )
}
