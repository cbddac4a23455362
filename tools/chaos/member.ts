import { setTimeout as sleep } from 'node:timers/promises'
import { ProcessError, type ServerProcess } from '../shared/processes.js'

const RESTART_MS = 300

export interface MemberObserver {
  /** The process has ended without being asked to. */
  onCrash (name: string, error: Error): void
  /** @param startedAt Unix milliseconds */
  onFailedStart (name: string, error: Error, startedAt: number): void
  /** The process did not end by itself after SIGTERM. */
  onStubborn (name: string): void
}

/** A process that is started again whenever it ends, as a supervisor would. */
export class Member {
  readonly name: string
  readonly #start: () => Promise<ServerProcess>
  readonly #observer: MemberObserver
  #process: ServerProcess | null = null
  #starting: Promise<void> | null = null
  #ending = false
  #closed = false

  constructor (name: string, start: () => Promise<ServerProcess>, observer: MemberObserver) {
    this.name = name
    this.#start = start
    this.#observer = observer
  }

  /** The process id; null while the process does not run. */
  get pid (): number | null {
    return this.#process?.pid ?? null
  }

  /** Resolves when the process runs and is ready. */
  up (): Promise<void> {
    this.#starting ??= this.#bringUp().finally(() => { this.#starting = null })
    return this.#starting
  }

  /**
   * Resolves when the process has ended; it is not started again.
   * @returns the exit code; null when the process did not run, or a signal has ended it
   */
  async down (signal: NodeJS.Signals): Promise<number | null> {
    this.#ending = true
    await this.#starting
    const running = this.#process
    if (running === null) return null
    await running.stop(signal)
    const error = await running.ended.catch((error: ProcessError) => error)
    if (signal === 'SIGTERM' && error.signal === 'SIGKILL' && !this.#closed) this.#observer.onStubborn(this.name)
    this.#process = null
    return error.exitCode
  }

  /** Stops or continues the process. */
  signal (name: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#process !== null) process.kill(this.#process.pid, name)
  }

  /** Ends the process for good. */
  async close (): Promise<void> {
    this.#closed = true
    this.signal('SIGCONT')
    await this.down('SIGKILL')
  }

  async #bringUp (): Promise<void> {
    this.#ending = false
    while (this.#process === null && !this.#ending && !this.#closed) {
      const startedAt = Date.now()
      try {
        const started = await this.#start()
        this.#process = started
        started.ended.catch((error: Error) => this.#onEnded(started, error))
      } catch (error) {
        if (this.#closed) return
        this.#observer.onFailedStart(this.name, error as Error, startedAt)
        await sleep(RESTART_MS)
      }
    }
  }

  #onEnded (ended: ServerProcess, error: Error): void {
    if (this.#process !== ended || this.#ending || this.#closed) return
    this.#process = null
    this.#observer.onCrash(this.name, error)
    this.up().catch(() => {})
  }
}
