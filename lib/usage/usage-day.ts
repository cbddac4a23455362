import type { ApplicationUsage } from '../../schemas/usage.js'
import type { Counts } from '../state/store.js'
import { dollarsOf, type Dollars } from './aws-prices.js'
import { HyperLogLog } from './hyperloglog.js'
import type { KeyedHash } from './keyed-hash.js'
import { nameInNamespace, seriesKey, type Series } from './series.js'

/** A kind of items that an application sends, and that AWS bills. */
export type BilledKind = keyof ApplicationUsage['items']

/** The kind of items that an API carries; every other API carries log events or makes their destinations. */
const KIND_OF_API: Record<string, BilledKind> = { PutMetricData: 'metrics' }
const KIND_OF_OTHER_APIS: BilledKind = 'logs'
const BILLED_API = 'PutMetricData'
/** The names of counters of calls start with the empty name of an application. */
const CALLS_PREFIX = ':calls:'
/** Series of all applications that are known to be counted; beyond that all are forgotten, and counted again. */
const MAX_COUNTED_SERIES = 10_000

/** The names of an application's counters. */
interface CounterNames {
  items: Record<BilledKind, string>
  bytes: Record<BilledKind, string>
  refused: Record<BilledKind, string>
  /** Of log groups and log streams that were made. */
  created: string
}

function makeNames (application: string): CounterNames {
  const byKind = (measure: string): Record<BilledKind, string> => ({
    metrics: `${application}:metrics:${measure}`,
    logs: `${application}:logs:${measure}`
  })
  return {
    items: byKind('items'),
    bytes: byKind('bytes'),
    refused: byKind('refused'),
    created: `${application}:logs:created`
  }
}

/** The counters and estimates of one day: the last known totals of all processes, and this one's counts since then. */
export class UsageDay {
  readonly day: string
  /** The estimates of distinct series, by application. */
  readonly seriesCounters = new Map<string, HyperLogLog>()
  readonly #names = new Map<string, CounterNames>()
  readonly #totals = new Map<string, number>()
  readonly #applications = new Set<string>()
  /** Items of all applications. */
  readonly #items: Record<BilledKind, number> = { metrics: 0, logs: 0 }
  /** Counts that are not stored yet. */
  #pending = new Map<string, number>()
  readonly #seriesHash: KeyedHash
  /**
   * Series that are counted already, as pages send the same ones again and again: by application and namespace, so that
   * a request looks up short names alone.
   */
  readonly #counted = new Map<string, Set<string>>()
  #countedSize = 0

  constructor (day: string, seriesHash: KeyedHash) {
    this.day = day
    this.#seriesHash = seriesHash
  }

  addItems (application: string, kind: BilledKind, items: number, bytes: number): void {
    const names = this.#namesOf(application)
    this.#add(names.items[kind], items)
    this.#add(names.bytes[kind], bytes)
    this.#items[kind] += items
    this.#applications.add(application)
  }

  addRefused (application: string, kind: BilledKind, items: number): void {
    this.#add(this.#namesOf(application).refused[kind], items)
    this.#applications.add(application)
  }

  addSeries (application: string, namespace: string, series: readonly Series[]): void {
    const scope = `${application}:${namespace}`
    let counted = this.#counted.get(scope)
    for (const each of series) {
      const name = nameInNamespace(each)
      if (counted?.has(name) === true) continue
      if (this.#countedSize === MAX_COUNTED_SERIES) {
        this.#counted.clear()
        this.#countedSize = 0
        counted = undefined
      }
      if (counted === undefined) {
        counted = new Set()
        this.#counted.set(scope, counted)
      }
      counted.add(name)
      this.#countedSize++
      this.seriesCounterOf(application).add(seriesKey(namespace, name))
    }
  }

  addCreated (application: string): void {
    this.#add(this.#namesOf(application).created, 1)
    this.#applications.add(application)
  }

  addCall (api: string): void {
    this.#add(CALLS_PREFIX + api, 1)
  }

  /** The counts added since they were last taken, in order to be stored. */
  takePending (): Counts {
    const pending = Object.fromEntries(this.#pending)
    this.#pending = new Map()
    return pending
  }

  /** Adds counts that could not be stored to the counts that are taken next. */
  giveBack (counts: Counts): void {
    for (const [name, by] of Object.entries(counts)) this.#pending.set(name, (this.#pending.get(name) ?? 0) + by)
  }

  /** Takes over the stored totals of all processes; the counts that are still pending here come on top. */
  takeTotals (totals: Counts): void {
    for (const [name, stored] of Object.entries(totals)) {
      const total = stored + (this.#pending.get(name) ?? 0)
      const [application, kind, measure] = name.split(':') as [string, BilledKind, string]
      if (application !== '') this.#applications.add(application)
      if (application !== '' && measure === 'items') this.#items[kind] += total - this.#count(name)
      this.#totals.set(name, total)
    }
  }

  seriesCounterOf (application: string): HyperLogLog {
    let counter = this.seriesCounters.get(application)
    if (counter === undefined) {
      counter = new HyperLogLog(this.#seriesHash)
      this.seriesCounters.set(application, counter)
    }
    return counter
  }

  /** The ids of the applications that have used something. */
  applications (): string[] {
    return [...this.#applications].sort()
  }

  /** Log groups and log streams that were made. */
  created (application: string): number {
    return this.#count(this.#namesOf(application).created)
  }

  /** The usage that budgets limit. Items that were refused have cost as much work as those that were stored. */
  used (application: string): { items: number, bytes: number, dollars: number } {
    const { items, bytes, refused } = this.#namesOf(application)
    const counters = [items.metrics, items.logs, refused.metrics, refused.logs]
    const logBytes = this.#count(bytes.logs)
    return {
      items: counters.reduce((sum, counter) => sum + this.#count(counter), 0),
      bytes: this.#count(bytes.metrics) + logBytes,
      dollars: this.#dollars(application, logBytes).total
    }
  }

  usageOf (application: string): ApplicationUsage {
    const countByKind = (names: Record<BilledKind, string>): Record<BilledKind, number> => ({
      metrics: this.#count(names.metrics),
      logs: this.#count(names.logs)
    })
    const names = this.#namesOf(application)
    const bytes = countByKind(names.bytes)
    return {
      day: this.day,
      application,
      items: countByKind(names.items),
      refused: countByKind(names.refused),
      bytes,
      series: this.#series(application),
      awsCalls: this.#calls(application),
      dollars: this.#dollars(application, bytes.logs)
    }
  }

  #dollars (application: string, logBytes: number): Dollars {
    return dollarsOf({
      logBytes, series: this.#series(application), putMetricDataCalls: this.#share(application, BILLED_API)
    })
  }

  #series (application: string): number {
    return this.seriesCounters.get(application)?.count() ?? 0
  }

  #calls (application: string): Counts {
    const apis = Array.from(this.#totals.keys()).flatMap(name =>
      name.startsWith(CALLS_PREFIX) ? [name.slice(CALLS_PREFIX.length)] : [])
    return Object.fromEntries(
      apis.map(api => [api, this.#share(application, api)] as const).filter(([, calls]) => calls > 0)
    )
  }

  /** A call may carry items of several applications: each is given a share of all calls of the day, by its items. */
  #share (application: string, api: string): number {
    const kind = KIND_OF_API[api] ?? KIND_OF_OTHER_APIS
    const items = this.#count(this.#namesOf(application).items[kind])
    return items === 0 ? 0 : this.#count(CALLS_PREFIX + api) * items / this.#items[kind]
  }

  #namesOf (application: string): CounterNames {
    let names = this.#names.get(application)
    if (names === undefined) {
      names = makeNames(application)
      this.#names.set(application, names)
    }
    return names
  }

  #add (name: string, by: number): void {
    this.#pending.set(name, (this.#pending.get(name) ?? 0) + by)
    this.#totals.set(name, this.#count(name) + by)
  }

  #count (name: string): number {
    return this.#totals.get(name) ?? 0
  }
}
