import { dollarsOf, type Dollars } from './aws-prices.js'
import type { Counts } from '../state/store.js'
import { HyperLogLog } from './hyperloglog.js'

/** Kinds of items that an application sends. */
export const BILLED_KINDS = ['metrics', 'logs'] as const
export type BilledKind = typeof BILLED_KINDS[number]

/** What one application has used on one day. */
export interface ApplicationUsage {
  application: string
  items: Record<BilledKind, number>
  /** As AWS counts them: of log events in UTF-8 with 26 for each, of metrics as JSON. */
  bytes: Record<BilledKind, number>
  /** Distinct metrics in the sense of CloudWatch. */
  series: number
  /** Calls by API, shared out by items. */
  awsCalls: Counts
  dollars: Dollars
}

/** Which kind of items each API carries. */
const KIND_OF_API: Record<string, BilledKind> = { PutMetricData: 'metrics' }
/** Of every other API: those that make log groups and log streams, too. */
const KIND_OF_OTHERS: BilledKind = 'logs'
const CALLS_PREFIX = ':calls:'
const BILLED_API = 'PutMetricData'

/** Names of an application's counters, made once. */
interface Fields {
  items: Record<BilledKind, string>
  bytes: Record<BilledKind, string>
}

function makeFields (application: string): Fields {
  const measure = (name: string): Record<BilledKind, string> => ({ metrics: `${application}:metrics:${name}`, logs: `${application}:logs:${name}` })
  return { items: measure('items'), bytes: measure('bytes') }
}

/** The counters and sketches of one day: those of all processes, as far as known, and what has been counted here since. */
export class UsageDay {
  readonly day: string
  readonly sketches = new Map<string, HyperLogLog>()
  readonly #fields = new Map<string, Fields>()
  readonly #totals = new Map<string, number>()
  readonly #applications = new Set<string>()
  /** Items of all applications. */
  readonly #items: Record<BilledKind, number> = { metrics: 0, logs: 0 }
  #pending = new Map<string, number>()

  constructor (day: string) {
    this.day = day
  }

  addItems (application: string, kind: BilledKind, items: number, bytes: number): void {
    const fields = this.#fieldsOf(application)
    this.#add(fields.items[kind], items)
    this.#add(fields.bytes[kind], bytes)
    this.#items[kind] += items
    this.#applications.add(application)
  }

  addCall (api: string): void {
    this.#add(CALLS_PREFIX + api, 1)
  }

  /** What was added since it was last taken. */
  takePending (): Counts {
    const pending = Object.fromEntries(this.#pending)
    this.#pending = new Map()
    return pending
  }

  /** It could not be stored, and is to be taken again. */
  giveBack (counts: Counts): void {
    for (const [name, by] of Object.entries(counts)) this.#pending.set(name, (this.#pending.get(name) ?? 0) + by)
  }

  /** Takes over the totals of all processes; what was added here since they were asked for comes on top. */
  take (totals: Counts): void {
    for (const [name, stored] of Object.entries(totals)) {
      const total = stored + (this.#pending.get(name) ?? 0)
      const [application, kind, measure] = name.split(':') as [string, BilledKind, string]
      if (application !== '') this.#applications.add(application)
      if (application !== '' && measure === 'items') this.#items[kind] += total - this.#count(name)
      this.#totals.set(name, total)
    }
  }

  sketchOf (application: string): HyperLogLog {
    let sketch = this.sketches.get(application)
    if (sketch === undefined) {
      sketch = new HyperLogLog()
      this.sketches.set(application, sketch)
    }
    return sketch
  }

  /** Ids of those that have used something. */
  applications (): string[] {
    return [...this.#applications].sort()
  }

  /** What budgets are about. */
  used (application: string): { items: number, bytes: number, dollars: number } {
    const { items, bytes } = this.#fieldsOf(application)
    const logBytes = this.#count(bytes.logs)
    return {
      items: this.#count(items.metrics) + this.#count(items.logs),
      bytes: this.#count(bytes.metrics) + logBytes,
      dollars: this.#dollars(application, logBytes).total
    }
  }

  usageOf (application: string): ApplicationUsage {
    const count = (names: Record<BilledKind, string>): Record<BilledKind, number> => ({ metrics: this.#count(names.metrics), logs: this.#count(names.logs) })
    const fields = this.#fieldsOf(application)
    const bytes = count(fields.bytes)
    return {
      application,
      items: count(fields.items),
      bytes,
      series: this.#series(application),
      awsCalls: this.#calls(application),
      dollars: this.#dollars(application, bytes.logs)
    }
  }

  #dollars (application: string, logBytes: number): Dollars {
    return dollarsOf({ logBytes, series: this.#series(application), putMetricDataCalls: this.#share(application, BILLED_API) })
  }

  #series (application: string): number {
    return this.sketches.get(application)?.count() ?? 0
  }

  #calls (application: string): Counts {
    const apis = Array.from(this.#totals.keys()).flatMap(name => name.startsWith(CALLS_PREFIX) ? [name.slice(CALLS_PREFIX.length)] : [])
    return Object.fromEntries(apis.map(api => [api, this.#share(application, api)] as const).filter(([, calls]) => calls > 0))
  }

  /** A call carries items of whoever sent to its destination; each application is given its share of all calls, by items. */
  #share (application: string, api: string): number {
    const kind = KIND_OF_API[api] ?? KIND_OF_OTHERS
    const items = this.#count(this.#fieldsOf(application).items[kind])
    return items === 0 ? 0 : this.#count(CALLS_PREFIX + api) * items / this.#items[kind]
  }

  #fieldsOf (application: string): Fields {
    let fields = this.#fields.get(application)
    if (fields === undefined) {
      fields = makeFields(application)
      this.#fields.set(application, fields)
    }
    return fields
  }

  #add (name: string, by: number): void {
    this.#pending.set(name, (this.#pending.get(name) ?? 0) + by)
    this.#totals.set(name, this.#count(name) + by)
  }

  #count (name: string): number {
    return this.#totals.get(name) ?? 0
  }
}
