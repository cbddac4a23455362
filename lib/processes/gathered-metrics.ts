import type { Channel } from './channel.js'

/** A metric of prom-client as JSON. */
export interface MetricJson {
  name: string
  type: unknown
}

/** Adds up the metrics of several processes. */
export type SumUp = (metrics: MetricJson[][]) => Promise<MetricJson[]>

/** The metrics whose values only grow. */
const GROWING: ReadonlySet<unknown> = new Set(['counter', 'histogram'])
/** A process that does not answer in this time counts with its last word. */
const ANSWER_MS = 2_000
const METRICS = 'metrics'
const LAST_METRICS = 'metrics.last'

/** Tells the metrics of this process to the other one, whenever it asks. */
export function serveMetrics (channel: Channel, metrics: () => Promise<MetricJson[]>): void {
  channel.handle(METRICS, metrics)
}

/** Tells the metrics of this process, which is about to end. */
export async function tellLastMetrics (channel: Channel, metrics: MetricJson[]): Promise<void> {
  await channel.call(LAST_METRICS, metrics)
}

/**
 * The metrics of processes that come and go. What a process has counted stays counted when it has gone, up to its last
 * word, so that no sum ever shrinks.
 */
export class GatheredMetrics {
  readonly #sumUp: SumUp
  readonly #last = new Map<Channel, MetricJson[]>()
  #gone: MetricJson[] = []
  #leaving = Promise.resolve()

  constructor (sumUp: SumUp) {
    this.#sumUp = sumUp
  }

  /** Takes in the last word of the process at the other end. */
  follow (channel: Channel): void {
    channel.handle(LAST_METRICS, (metrics: MetricJson[]) => { this.#last.set(channel, metrics) })
    channel.onClose(() => { this.#leaving = this.#leaving.then(() => this.#leave(channel)) })
  }

  /** @returns the metrics of each process, and those of the processes that have gone */
  async ask (channels: readonly Channel[]): Promise<MetricJson[][]> {
    await Promise.all(channels.map(async channel => {
      const metrics = await withinTime(channel.call<MetricJson[]>(METRICS)).catch(() => null)
      if (metrics !== null) this.#last.set(channel, metrics)
    }))
    await this.#leaving
    return [this.#gone, ...this.#last.values()]
  }

  async #leave (channel: Channel): Promise<void> {
    const last = this.#last.get(channel)
    if (last === undefined) return
    const sum = await this.#sumUp([this.#gone, last.filter(({ type }) => GROWING.has(type))])
    // In one step, so that nobody counts it twice or not at all.
    this.#gone = sum
    this.#last.delete(channel)
  }
}

/** Null when nothing has come in time. */
async function withinTime<T> (work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>(resolve => { timer = setTimeout(() => resolve(null), ANSWER_MS) })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
