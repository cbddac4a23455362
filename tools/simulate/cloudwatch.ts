import { FLOW_KINDS, type FlowKind, type Outage } from './scenario.js'

const WINDOW_MS = 1_000

/** Takes calls up to its quota in each second, and none during an outage. */
export class CloudWatch {
  readonly #quotaTps: Record<FlowKind, number>
  readonly #outages: Outage[]
  readonly #windows = Object.fromEntries(FLOW_KINDS.map(kind =>
    [kind, { startedAt: -WINDOW_MS, calls: 0 }])) as Record<FlowKind, { startedAt: number, calls: number }>

  constructor (quotaTps: Record<FlowKind, number>, outages: Outage[]) {
    this.#quotaTps = quotaTps
    this.#outages = outages
  }

  isAway (now: number): boolean {
    return this.#outages.some(({ from, to }) => now >= from * 1_000 && now < to * 1_000)
  }

  call (kind: FlowKind, now: number): 'taken' | 'throttle' | 'unavailable' {
    if (this.isAway(now)) return 'unavailable'
    const window = this.#windows[kind]
    if (now - window.startedAt >= WINDOW_MS) {
      Object.assign(window, { startedAt: Math.floor(now / WINDOW_MS) * WINDOW_MS, calls: 0 })
    }
    if (window.calls >= this.#quotaTps[kind]) return 'throttle'
    window.calls++
    return 'taken'
  }
}
