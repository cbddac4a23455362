import type { UnixMs } from '../../schemas/common.js'
import { REJECTION_REASONS, type RejectionReason } from '../../schemas/reasons.js'
import type { Delivered } from './input.js'

/** Calls that are kept for `calls()`; older calls are only counted. */
const MAX_CALLS = 1_000

export interface CallRecord {
  action: string
  /** A namespace, a log group, or `logGroup:logStream`. */
  destination: string
  /** Datums or log events in the request; 0 for calls that carry none. */
  items: number
  /** Bytes of the JSON body after decompression. */
  bytes: number
  at: UnixMs
  /** HTTP status; 0 when there was no answer. */
  status: number
  /** The fault: an AWS error name, or `reset`, `hang`, `garbage`, or `aborted` by the client. */
  error?: string
}

export interface Fill {
  calls: number
  mean: number
  min: number
  max: number
}

export interface LedgerSnapshot {
  /** Calls by action, answered or not. */
  calls: Record<string, number>
  /** Errors by action and name. */
  errors: Record<string, Record<string, number>>
  /** Log events stored. */
  events: number
  rejected: Record<RejectionReason, number>
  /** Members of MetricData taken. */
  datums: number
  /** Data points of the datums: the sum of Counts and SampleCounts. */
  dataPoints: number
  /** Bytes of the calls taken, by action, as the limit of the action counts them. */
  bytes: Record<string, number>
  /** Bytes of the bodies of all calls as they came, compressed or not, by action. */
  wireBytes: Record<string, number>
  /** The used share of the limit in the calls taken, by action, 0 to 1. */
  fill: Record<string, Fill>
}

function add (counters: Record<string, number>, name: string, amount: number): void {
  counters[name] = (counters[name] ?? 0) + amount
}

function empty (): Omit<LedgerSnapshot, 'fill'> {
  return {
    calls: {},
    errors: {},
    events: 0,
    rejected: { 'too-old': 0, 'too-new': 0, expired: 0 },
    datums: 0,
    dataPoints: 0,
    bytes: {},
    wireBytes: {}
  }
}

/** Counts calls and their outcomes, in constant memory. */
export class Ledger {
  #counts = empty()
  #fill: Record<string, { calls: number, sum: number, min: number, max: number }> = {}
  #calls: CallRecord[] = []

  call (record: CallRecord, wireBytes: number): void {
    add(this.#counts.calls, record.action, 1)
    add(this.#counts.wireBytes, record.action, wireBytes)
    if (record.error !== undefined) add(this.#counts.errors[record.action] ??= {}, record.error, 1)
    this.#calls.push(record)
    if (this.#calls.length >= 2 * MAX_CALLS) this.#calls = this.#calls.slice(-MAX_CALLS)
  }

  delivered (action: string, delivered: Delivered): void {
    const counts = this.#counts
    if (action === 'PutMetricData') {
      counts.datums += delivered.items
      counts.dataPoints += delivered.stored
    } else {
      counts.events += delivered.stored
    }
    for (const reason of REJECTION_REASONS) counts.rejected[reason] += delivered.rejected?.[reason] ?? 0
    add(counts.bytes, action, delivered.bytes)
    const fill = this.#fill[action] ??= { calls: 0, sum: 0, min: Infinity, max: 0 }
    fill.calls += 1
    fill.sum += delivered.fill
    fill.min = Math.min(fill.min, delivered.fill)
    fill.max = Math.max(fill.max, delivered.fill)
  }

  snapshot (): LedgerSnapshot {
    const fill = Object.entries(this.#fill)
      .map(([action, { calls, sum, min, max }]) => [action, { calls, mean: sum / calls, min, max }])
    return { ...structuredClone(this.#counts), fill: Object.fromEntries(fill) }
  }

  /** The last calls, the newest last. */
  calls (limit: number = MAX_CALLS): CallRecord[] {
    return limit > 0 ? this.#calls.slice(-Math.min(limit, MAX_CALLS)) : []
  }

  reset (): void {
    this.#counts = empty()
    this.#fill = {}
    this.#calls = []
  }
}
