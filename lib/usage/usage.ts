import type { Application } from '../../schemas/applications.js'
import { DAY_MS, dayOf, type DailyCounters, type DailyRegisters, type StateStore } from '../state/store.js'
import { tightestBudget, hasBudget, type BudgetState } from './budget.js'
import { UsageDay, type ApplicationUsage, type BilledKind } from './usage-day.js'
import type { Series } from './hyperloglog.js'

/** How often the counts of the processes are brought together. */
export const USAGE_SYNC_MS = 1_000
/** After so many of these an application's counts are asked for even when nothing of it was counted here. */
const FULL_SYNC_EVERY = 10
/** Names in the store: the counters of items, bytes and calls, and the registers that estimate the series. */
const COUNTERS = 'usage'
const REGISTERS = 'series'

export interface UsageOptions {
  store: Pick<StateStore, 'shared' | 'dailyCounters' | 'dailyRegisters'>
  /** Unix milliseconds. */
  now: () => number
}

/**
 * What each application uses a day. Counted here, and brought together with the counts of the other processes every
 * second: a budget may be passed by what comes in that time. A process that is killed loses what it has counted since.
 */
export class Usage {
  readonly #shared: boolean
  readonly #counters: DailyCounters
  readonly #registers: DailyRegisters
  readonly #now: () => number
  #today: UsageDay
  /** Unix milliseconds. */
  #midnight: number
  /** Days that have ended and may hold counts that are not yet stored. */
  readonly #ended = new Set<UsageDay>()
  readonly #timer: NodeJS.Timeout
  #syncing: Promise<void> | null = null
  #syncs = 0

  private constructor ({ store, now }: UsageOptions) {
    this.#shared = store.shared
    this.#counters = store.dailyCounters(COUNTERS)
    this.#registers = store.dailyRegisters(REGISTERS)
    this.#now = now
    this.#midnight = nextMidnight(now())
    this.#today = new UsageDay(dayOf(now()))
    this.#timer = setInterval(() => { this.sync() }, USAGE_SYNC_MS).unref()
  }

  /** Knows what was used today already. @throws StateStoreError */
  static async open (options: UsageOptions): Promise<Usage> {
    const usage = new Usage(options)
    await usage.#read(usage.#today)
    return usage
  }

  /** Items that were stored. */
  record (application: string, kind: BilledKind, items: number, bytes: number): void {
    this.#day().addItems(application, kind, items, bytes)
  }

  /** Data points that were stored, by the series that they belong to. */
  recordSeries (application: string, namespace: string, series: readonly Series[]): void {
    const sketch = this.#day().sketchOf(application)
    for (const each of series) sketch.add(namespace, each)
  }

  /** A call to AWS that succeeded. */
  recordCall (api: string): void {
    this.#day().addCall(api)
  }

  /** The application's tightest budget, once it is used up to the soft limit. */
  budgetOf (application: Application): BudgetState | null {
    if (!hasBudget(application)) return null
    return tightestBudget(application, this.#day().used(application.id))
  }

  /** Seconds until budgets start anew. */
  secondsToMidnight (): number {
    this.#day()
    return Math.ceil((this.#midnight - this.#now()) / 1000)
  }

  /**
   * Of all processes, the latest day first.
   * @throws StateStoreError
   */
  async report (days: number): Promise<Array<ApplicationUsage & { day: string }>> {
    await this.sync()
    const now = this.#now()
    const reports = []
    for (let ago = 0; ago < days; ago++) {
      const day = new UsageDay(dayOf(now - ago * DAY_MS))
      await this.#read(day)
      for (const application of day.applications()) reports.push({ day: day.day, ...day.usageOf(application) })
    }
    return reports
  }

  /** Brings the counts together; never rejects. */
  async sync (): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => { this.#syncing = null })
    await this.#syncing
  }

  /** Stores what is counted. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    await this.#syncing
    await this.sync()
  }

  #day (): UsageDay {
    const now = this.#now()
    if (now >= this.#midnight) {
      this.#ended.add(this.#today)
      this.#today = new UsageDay(dayOf(now))
      this.#midnight = nextMidnight(now)
    }
    return this.#today
  }

  async #sync (): Promise<void> {
    const today = this.#day()
    for (const day of this.#ended) {
      if (await this.#storeDay(day)) this.#ended.delete(day)
    }
    await this.#storeDay(today)
    if (this.#shared && ++this.#syncs % FULL_SYNC_EVERY === 0) await this.#read(today).catch(() => {})
  }

  /** @returns whether everything is stored */
  async #storeDay (day: UsageDay): Promise<boolean> {
    const counts = await this.#storeCounts(day)
    const series = await this.#storeSeries(day)
    return counts && series
  }

  async #storeCounts (day: UsageDay): Promise<boolean> {
    const pending = day.takePending()
    if (Object.keys(pending).length === 0) return true
    try {
      day.take(await this.#counters.add(day.day, pending))
      return true
    } catch {
      day.giveBack(pending)
      return false
    }
  }

  async #storeSeries (day: UsageDay): Promise<boolean> {
    for (const [application, sketch] of day.sketches) {
      const changed = sketch.takeChanged()
      if (changed.length === 0) continue
      try {
        sketch.merge(await this.#registers.merge(day.day, application, changed))
      } catch {
        sketch.giveBack(changed)
        return false
      }
    }
    return true
  }

  /** Reads what all processes have stored of the day. */
  async #read (day: UsageDay): Promise<void> {
    day.take(await this.#counters.get(day.day))
    for (const application of day.applications()) day.sketchOf(application).merge(await this.#registers.get(day.day, application))
  }
}

function nextMidnight (now: number): number {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS
}
