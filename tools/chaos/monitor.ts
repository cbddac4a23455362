import type { UnixMs } from '../../schemas/common.js'
import { memoryOf } from '../bench/process-usage.js'
import { HttpClient } from './http-client.js'
import type { Fleet } from './fleet.js'

const EVERY_MS = 400
const TIMEOUT_MS = 1_500
const PREFIX = 'cloudwatch_postman_'

export interface LedgerReading {
  accepted: number
  delivered: number
  rejected: number
  deadLettered: number
  evicted: number
  inSpool: number
}

/** The state of the spool, as a gateway reports it. */
export interface Reading {
  at: UnixMs
  items: number
  /** Bytes of the stored lines. */
  bytes: number
  oldestMs: number
  ledger: LedgerReading
}

export interface MemoryPeak {
  rss: number
  /** The part of the largest resident size that is no mapped file; null where nobody knows. */
  own: number | null
}

/** Watches the spool through its gateways, and the memory of every process. */
export class Monitor {
  readonly readings: Reading[] = []
  readonly memory = new Map<string, MemoryPeak>()
  readonly #fleet: Fleet
  readonly #client = new HttpClient()
  readonly #timers: NodeJS.Timeout[] = []
  #asking = false

  constructor (fleet: Fleet) {
    this.#fleet = fleet
  }

  start (): void {
    this.#timers.push(setInterval(() => this.#sampleMemory(), EVERY_MS), setInterval(() => {
      if (this.#asking) return
      this.#asking = true
      this.read().then(reading => {
        if (reading !== null) this.readings.push(reading)
      }, () => {}).finally(() => { this.#asking = false })
    }, EVERY_MS))
  }

  close (): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#client.close()
  }

  get last (): Reading | null {
    return this.readings.at(-1) ?? null
  }

  /** The reading of the first gateway that answers; null when none does. */
  async read (): Promise<Reading | null> {
    const readings = this.#fleet.gateways.map(({ url }) => this.#ask(url))
    return await Promise.any(readings).catch(() => null)
  }

  async #ask (url: string): Promise<Reading> {
    const at = Date.now()
    const { status, body } = await this.#client.send('GET', `${url}/metrics`, {
      headers: { authorization: `Bearer ${this.#fleet.adminToken}` },
      timeoutMs: TIMEOUT_MS
    })
    const gauges = status === 200 ? readGauges(body) : null
    if (gauges === null || !gauges(`${PREFIX}spool_up`).includes(1)) throw new Error('the gateway does not know')
    const ledger = (outcome: string): number => gauges(`${PREFIX}ledger_items{outcome="${outcome}"}`)[0] ?? NaN
    return {
      at,
      items: gauges(`${PREFIX}spool_items{`).reduce((sum, items) => sum + items, 0),
      bytes: gauges(`${PREFIX}spool_bytes{`).reduce((sum, bytes) => sum + bytes, 0),
      oldestMs: Math.max(0, ...gauges(`${PREFIX}spool_oldest_seconds{`)) * 1_000,
      ledger: {
        accepted: ledger('accepted'),
        delivered: ledger('delivered'),
        rejected: ledger('rejected'),
        deadLettered: ledger('dead_lettered'),
        evicted: ledger('evicted'),
        inSpool: ledger('in_spool')
      }
    }
  }

  #sampleMemory (): void {
    for (const [name, pid] of this.#fleet.pids()) {
      try {
        const { rss, file } = memoryOf(pid)
        if (rss > (this.memory.get(name)?.rss ?? 0)) {
          this.memory.set(name, { rss, own: file === null ? null : rss - file })
        }
      } catch {
        // The process has just ended.
      }
    }
  }
}

/** A function that gives the values of the samples whose line has a given start. */
function readGauges (text: string): (start: string) => number[] {
  const lines = text.split('\n').filter(line => line.startsWith(PREFIX))
  return start =>
    lines.filter(line => line.startsWith(start)).map(line => Number(line.slice(line.lastIndexOf(' ') + 1)))
}
