import { percentile } from '../stats.js'
import { Connection, postRequest } from './connection.js'
import type { LoadEnd, LoadJob, LoadResult } from './job.js'

const TICK_MS = 1

/** Sends the requests of a job from this process. @throws Error when a connection breaks */
export async function runLoad (job: LoadJob, end: LoadEnd): Promise<LoadResult> {
  const load = new Load(job, end)
  try {
    return await load.run()
  } finally {
    load.close()
  }
}

interface Lane {
  connection: Connection
  /** When each request that is not yet answered was due, oldest first. */
  underWay: number[]
}

class Load {
  readonly #end: LoadEnd
  readonly #pipelining: number
  readonly #requests: Buffer[]
  readonly #lanes: Lane[]
  readonly #latencies: number[] = []
  #sent = 0
  #accepted = 0
  #startedAt = 0
  #finish: () => void = () => {}
  #fail: (error: Error) => void = () => {}

  constructor (job: LoadJob, end: LoadEnd) {
    this.#end = end
    this.#pipelining = job.pipelining ?? 1
    this.#requests = job.bodies.map(body => postRequest(job.port, job.path, job.token, body))
    this.#lanes = Array.from({ length: job.connections }, () => {
      const lane: Lane = {
        connection: new Connection(job.port, status => this.#answered(lane, status), error => this.#fail(error)),
        underWay: []
      }
      return lane
    })
  }

  async run (): Promise<LoadResult> {
    const cpu = process.cpuUsage()
    this.#startedAt = performance.now()
    await new Promise<void>((resolve, reject) => {
      this.#finish = resolve
      this.#fail = reject
      if ('rate' in this.#end) this.#pace(this.#end.rate)
      else for (const lane of this.#lanes) this.#fill(lane)
    })
    const seconds = (performance.now() - this.#startedAt) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    const sorted = Float64Array.from(this.#latencies).sort()
    return {
      requests: sorted.length,
      accepted: this.#accepted,
      seconds,
      cpuSeconds: (user + system) / 1_000_000,
      latency: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: sorted.at(-1) ?? 0 }
    }
  }

  close (): void {
    for (const { connection } of this.#lanes) connection.close()
  }

  get #isOver (): boolean {
    return 'amount' in this.#end
      ? this.#sent >= this.#end.amount
      : performance.now() - this.#startedAt >= this.#end.seconds * 1_000
  }

  #send (lane: Lane, dueAt: number): void {
    lane.underWay.push(dueAt)
    lane.connection.send(this.#requests[this.#sent++ % this.#requests.length]!)
  }

  /** A closed loop: an answer makes room for the next request. */
  #fill (lane: Lane): void {
    while (lane.underWay.length < this.#pipelining && !this.#isOver) this.#send(lane, performance.now())
  }

  /** An open loop. The time counts that a due request waits while every connection is busy. */
  #pace (rate: number): void {
    const dueAt = (request: number): number => this.#startedAt + request * 1_000 / rate
    const timer = setInterval(() => {
      const now = performance.now()
      for (const lane of this.#lanes) {
        if (dueAt(this.#sent) > now || this.#isOver) break
        if (lane.underWay.length < this.#pipelining) this.#send(lane, dueAt(this.#sent))
      }
      if (!this.#isOver) return
      clearInterval(timer)
      this.#finishWhenIdle()
    }, TICK_MS)
  }

  #answered (lane: Lane, status: number): void {
    this.#latencies.push(performance.now() - lane.underWay.shift()!)
    if (status >= 200 && status < 300) this.#accepted++
    if (!('rate' in this.#end)) this.#fill(lane)
    this.#finishWhenIdle()
  }

  #finishWhenIdle (): void {
    if (this.#isOver && this.#lanes.every(({ underWay }) => underWay.length === 0)) this.#finish()
  }
}
