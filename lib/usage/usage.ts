import type { Application } from '../../schemas/applications.js'
import { DAY_MS, type UnixMs } from '../../schemas/common.js'
import type { ApplicationUsage } from '../../schemas/usage.js'
import { dayOf, type DailyCounters, type DailyRegisters, type StateStore } from '../state/store.js'
import { hasBudget, tightestBudget, type BudgetState } from './budget.js'
import { createKeyedHash, type KeyedHash } from './keyed-hash.js'
import type { Series } from './series.js'
import { UsageDay, type BilledKind } from './usage-day.js'

/** How often each process brings its counts together with those of the others. */
export const USAGE_SYNC_MS = 1_000
/** A sync tells the totals of the counters that it adds to; after so many syncs all counters of the day are read. */
const FULL_SYNC_EVERY = 10
/** The names in the store of the counters of items, bytes and calls, and of the registers that estimate the series. */
const COUNTERS = 'usage'
const SERIES_REGISTERS = 'keyedSeries'

export interface UsageOptions {
  store: Pick<StateStore, 'shared' | 'dailyCounters' | 'dailyRegisters'>
  now: () => UnixMs
  /** The key of the hash of series, the same in every process. */
  seriesSecret: Uint8Array
}

/**
 * The usage of each application by day. Each process counts, and brings its counts together with those of the others
 * every USAGE_SYNC_MS: a budget may be passed by the items that come in that time. A process that is killed loses its
 * counts since then.
 */
export class Usage {
  readonly #shared: boolean
  readonly #counters: DailyCounters
  readonly #registers: DailyRegisters
  readonly #now: () => UnixMs
  readonly #seriesHash: KeyedHash
  #today: UsageDay
  #midnight: UnixMs
  /** Days that have ended and may hold counts that are not stored yet. */
  readonly #ended = new Set<UsageDay>()
  readonly #timer: NodeJS.Timeout
  #syncing: Promise<void> | null = null
  #syncs = 0

  private constructor ({ store, now, seriesSecret }: UsageOptions) {
    this.#seriesHash = createKeyedHash(seriesSecret)
    this.#shared = store.shared
    this.#counters = store.dailyCounters(COUNTERS)
    this.#registers = store.dailyRegisters(SERIES_REGISTERS)
    this.#now = now
    this.#midnight = nextMidnight(now())
    this.#today = this.#newDay(now())
    this.#timer = setInterval(() => { this.sync() }, USAGE_SYNC_MS).unref()
  }

  /** Reads the usage of today before it returns. @throws StateStoreError */
  static async open (options: UsageOptions): Promise<Usage> {
    const usage = new Usage(options)
    await usage.#read(usage.#today)
    return usage
  }

  /** Counts items that were stored. */
  record (application: string, kind: BilledKind, items: number, bytes: number): void {
    this.#day().addItems(application, kind, items, bytes)
  }

  /** Counts items that were refused. */
  recordRefused (application: string, kind: BilledKind, items: number): void {
    this.#day().addRefused(application, kind, items)
  }

  /** Counts the distinct series of data points that were stored. */
  recordSeries (application: string, namespace: string, series: readonly Series[]): void {
    this.#day().addSeries(application, namespace, series)
  }

  /** Counts a log group or log stream that was made for an application. */
  recordCreated (application: string): void {
    this.#day().addCreated(application)
  }

  /** Whether at least so many log groups and log streams were made for the application today. */
  hasCreated (application: string, count: number): boolean {
    // The clock is asked only when the last day that was counted has as many.
    return this.#today.created(application) >= count && this.#day().created(application) >= count
  }

  /** Counts a call to AWS that succeeded. */
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
   * The usage of all processes, the latest day first.
   * @throws StateStoreError
   */
  async report (days: number): Promise<ApplicationUsage[]> {
    await this.sync()
    const now = this.#now()
    const reports: ApplicationUsage[] = []
    for (let ago = 0; ago < days; ago++) {
      const day = this.#newDay(now - ago * DAY_MS)
      await this.#read(day)
      for (const application of day.applications()) reports.push(day.usageOf(application))
    }
    return reports
  }

  /** Brings the counts together; never rejects. */
  async sync (): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => { this.#syncing = null })
    await this.#syncing
  }

  /** Stores the counts that are not stored yet. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    await this.#syncing
    await this.sync()
  }

  #newDay (time: UnixMs): UsageDay {
    return new UsageDay(dayOf(time), this.#seriesHash)
  }

  #day (): UsageDay {
    const now = this.#now()
    if (now >= this.#midnight || now < this.#midnight - DAY_MS) this.#turnTo(now)
    return this.#today
  }

  /** Another day has come, or a day comes again as the clock was set back. */
  #turnTo (now: UnixMs): void {
    this.#ended.add(this.#today)
    const known = [...this.#ended].find(({ day }) => day === dayOf(now))
    if (known !== undefined) this.#ended.delete(known)
    const today = known ?? this.#newDay(now)
    this.#today = today
    this.#midnight = nextMidnight(now)
    this.#read(today).catch(() => {})
  }

  async #sync (): Promise<void> {
    const today = this.#day()
    for (const day of this.#ended) {
      if (await this.#storeDay(day)) this.#ended.delete(day)
    }
    await this.#storeDay(today)
    if (this.#shared && ++this.#syncs % FULL_SYNC_EVERY === 0) await this.#read(today).catch(() => {})
  }

  /** @returns whether every count is stored */
  async #storeDay (day: UsageDay): Promise<boolean> {
    const counts = await this.#storeCounts(day)
    const series = await this.#storeSeries(day)
    return counts && series
  }

  async #storeCounts (day: UsageDay): Promise<boolean> {
    const pending = day.takePending()
    if (Object.keys(pending).length === 0) return true
    try {
      day.takeTotals(await this.#counters.add(day.day, pending))
      return true
    } catch {
      day.giveBack(pending)
      return false
    }
  }

  async #storeSeries (day: UsageDay): Promise<boolean> {
    for (const [application, counter] of day.seriesCounters) {
      const changed = counter.takeChanged()
      if (changed.length === 0) continue
      try {
        counter.merge(await this.#registers.merge(day.day, application, changed))
      } catch {
        counter.giveBack(changed)
        return false
      }
    }
    return true
  }

  /** Reads the totals of all processes. */
  async #read (day: UsageDay): Promise<void> {
    day.takeTotals(await this.#counters.get(day.day))
    for (const application of day.applications()) {
      day.seriesCounterOf(application).merge(await this.#registers.get(day.day, application))
    }
  }
}

function nextMidnight (now: UnixMs): UnixMs {
  return (Math.floor(now / DAY_MS) + 1) * DAY_MS
}
