import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from '../shared/root.js'

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 30_000
const POLL_MS = 10
const LOG_TAIL_CHARACTERS = 2_000

export interface Running {
  pid: number
  /** Sends SIGTERM, and waits for the end of the process. */
  stop (): Promise<void>
  /** Sends SIGKILL, so that no work of the process costs the next measurement anything. */
  kill (): Promise<void>
}

export interface StartOptions {
  /** The name of the process in messages. */
  name: string
  command: string
  args: string[]
  env?: Record<string, string>
  /** The working directory; absent: the folder of package.json. */
  cwd?: string
  /** A URL that answers 200 once the process can be used. */
  readyUrl?: string
}

/**
 * Every process that the benchmark starts, each in a group of its own, and every file it writes. Unlike the processes
 * of tools/shared they write their output into files: to read it would cost CPU while they are measured.
 */
export class BenchProcesses {
  readonly #children = new Set<ChildProcess>()
  readonly #dir = mkdtempSync(join(tmpdir(), 'postman-bench-'))
  #count = 0

  constructor () {
    process.on('exit', () => this.close())
  }

  /** An empty folder that is removed at the end. */
  folder (): string {
    const path = join(this.#dir, String(this.#count++))
    mkdirSync(path)
    return path
  }

  removeFolder (path: string): void {
    rmSync(path, { recursive: true, force: true })
  }

  /** @throws Error when the process ends before it is ready, with the end of its output */
  async start ({ name, command, args, env = {}, cwd = ROOT, readyUrl }: StartOptions): Promise<Running> {
    const logFile = join(this.#dir, `${this.#count++}.log`)
    const log = openSync(logFile, 'w')
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true
    })
    closeSync(log)
    await this.adopt(child, name)
    if (readyUrl !== undefined) {
      const explain = (): Error =>
        new Error(`${name} does not start:\n${readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS)}`)
      await waitUntilReady(child, readyUrl, explain)
    }
    return {
      pid: child.pid!,
      stop: () => end(child, 'SIGTERM'),
      kill: () => end(child, 'SIGKILL')
    }
  }

  /** Ends this child with the others. It must have been spawned detached. */
  async adopt (child: ChildProcess, name: string): Promise<void> {
    await once(child, 'spawn').catch((error: Error) => { throw new Error(`${name} cannot be run: ${error.message}`) })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
  }

  /** Kills every process and removes every file. May be called twice. */
  close (): void {
    for (const child of this.#children) signal(child, 'SIGKILL')
    this.#children.clear()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

function hasEnded (child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Sends the signal to the whole group of a child, as npm has children of its own. */
function signal (child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name)
  } catch {
    // The child has ended by itself.
  }
}

async function end (child: ChildProcess, name: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  signal(child, name)
  const timer = setTimeout(() => signal(child, 'SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}

async function waitUntilReady (child: ChildProcess, url: string, explain: () => Error): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (!await answers(url)) {
    if (hasEnded(child) || Date.now() > deadline) throw explain()
    await sleep(POLL_MS)
  }
}

async function answers (url: string): Promise<boolean> {
  try {
    const answer = await fetch(url)
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}
