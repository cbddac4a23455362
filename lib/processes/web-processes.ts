import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { monotonicNow } from '../clock.js'
import type { Log } from '../logger.js'
import type { MonotonicMs } from '../../schemas/common.js'
import { Channel } from './channel.js'
import { passLines } from './pass-lines.js'
import { createProcessPort } from './process-port.js'

/** The variable in which a web process finds its number, from 1 on. */
export const WEB_PROCESS_VARIABLE = 'GATEWAY_WEB_PROCESS'
/** The news that a web process has to end. */
export const CLOSE = 'close'

const FIRST_DELAY_MS = 250
const MAX_DELAY_MS = 30_000
/** A process that has taken requests for this long starts its delays anew. */
const STABLE_MS = 30_000
/** Starts in a row, of all web processes, that fail before the gateway gives up. */
const MAX_FAILED_STARTS = 5

export interface WebProcessesOptions {
  count: number
  /** The script of a web process, and its arguments. */
  command: string
  args: readonly string[]
  log: Log
  /** None can be started; the last one that tried has ended with this code. */
  onGiveUp: (exitCode: number) => void
}

interface WebProcess {
  number: number
  worker: Worker | null
  /** When it began to take requests; null while it does not. */
  listeningAt: MonotonicMs | null
  /** Lives in a row that were short. */
  shortLives: number
  timer: NodeJS.Timeout | null
}

/**
 * The processes that take requests, on one port, started by the process that owns the store. One that ends by itself is
 * started again, after a delay that grows while its lives are short. All of them end with this process.
 */
export class WebProcesses {
  readonly #options: WebProcessesOptions
  readonly #processes: WebProcess[]
  readonly #openers: Array<(channel: Channel) => void> = []
  readonly #channels = new Set<Channel>()
  readonly #endWithThis = (): void => this.#kill()
  /** Starts in a row that have failed. */
  #failedStarts = 0
  /** Whether any of them ever took requests. */
  #hasStarted = false
  #stopped = false

  constructor (options: WebProcessesOptions) {
    this.#options = options
    this.#processes = Array.from({ length: options.count }, (_, i) =>
      ({ number: i + 1, worker: null, listeningAt: null, shortLives: 0, timer: null }))
  }

  /** How many there should be. */
  get count (): number {
    return this.#options.count
  }

  /** How many take requests. */
  get listening (): number {
    return this.#processes.filter(({ listeningAt }) => listeningAt !== null).length
  }

  /** To the processes that live. */
  get channels (): Channel[] {
    return [...this.#channels]
  }

  /** Calls the listener with the channel to each process, before that process can call. To be called before `start`. */
  onOpen (listener: (channel: Channel) => void): void {
    this.#openers.push(listener)
  }

  tellAll (topic: string, news?: unknown): void {
    for (const channel of this.#channels) channel.tell(topic, news)
  }

  /** Starts one, and the others when that one takes requests: what keeps it from starting is told once. */
  start (): void {
    const { command, args } = this.#options
    cluster.setupPrimary({ exec: command, args: [...args], silent: true, serialization: 'advanced' })
    process.on('exit', this.#endWithThis)
    this.#fork(this.#processes[0]!)
  }

  signal (name: NodeJS.Signals): void {
    for (const { worker } of this.#processes) worker?.process.kill(name)
  }

  /** Lets them answer the requests that have come, and ends those that take longer. May be called twice. */
  async stop (graceMs: number): Promise<void> {
    this.#stopped = true
    const ended = this.#processes.map(async ({ worker, timer, listeningAt }) => {
      clearTimeout(timer ?? undefined)
      if (worker === null) return
      // One that still loads does not hear the news.
      if (listeningAt === null) worker.process.kill('SIGTERM')
      await once(worker.process, 'close')
    })
    this.tellAll(CLOSE)
    const timer = setTimeout(() => this.#kill(), graceMs)
    await Promise.all(ended)
    clearTimeout(timer)
    process.off('exit', this.#endWithThis)
  }

  #kill (): void {
    this.signal('SIGKILL')
  }

  #fork (web: WebProcess): void {
    web.timer = null
    const worker = cluster.fork({ FORWARDER: 'off', [WEB_PROCESS_VARIABLE]: String(web.number) })
    web.worker = worker
    const channel = new Channel(createProcessPort(worker.process))
    this.#channels.add(channel)
    for (const opener of this.#openers) opener(channel)
    passLines(worker.process.stdout!, lines => process.stdout.write(lines))
    passLines(worker.process.stderr!, lines => process.stderr.write(lines))
    worker.once('listening', () => this.#listens(web))
    worker.once('disconnect', () => this.#disconnected(channel))
    // After its last words have been passed on.
    worker.process.once('close', (code, signal) => {
      this.#disconnected(channel)
      this.#ended(web, code, signal)
    })
  }

  #disconnected (channel: Channel): void {
    this.#channels.delete(channel)
    channel.close()
  }

  #listens (web: WebProcess): void {
    web.listeningAt = monotonicNow()
    this.#failedStarts = 0
    if (this.#hasStarted || this.#stopped) return
    this.#hasStarted = true
    for (const other of this.#processes.slice(1)) this.#fork(other)
  }

  #ended (web: WebProcess, code: number | null, signal: NodeJS.Signals | null): void {
    const { listeningAt } = web
    web.worker = null
    web.listeningAt = null
    if (this.#stopped) return
    const { log, onGiveUp } = this.#options
    if (listeningAt === null) this.#failedStarts++
    if (!this.#hasStarted || (this.listening === 0 && this.#failedStarts >= MAX_FAILED_STARTS)) {
      this.#stopped = true
      // What the first one has said is enough.
      if (this.#hasStarted) {
        const fields = { webProcess: web.number, code, signal, starts: this.#failedStarts }
        log.error(fields, 'no web process can be started: the gateway ends')
      }
      onGiveUp(code ?? 1)
      return
    }
    web.shortLives = listeningAt !== null && monotonicNow() - listeningAt >= STABLE_MS ? 0 : web.shortLives + 1
    const delayMs = web.shortLives === 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (web.shortLives - 1))
    log.error({ webProcess: web.number, code, signal, delayMs }, 'a web process has ended, and is started again')
    web.timer = setTimeout(() => this.#fork(web), delayMs)
  }
}
