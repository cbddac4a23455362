import type { Faults } from './faults.js'
import type { CallRecord, LedgerSnapshot } from './ledger.js'
import type { InputLogEvent } from './logs/log-store.js'
import type { LambdaFunction } from './logs/subscriptions.js'
import type { SeriesSnapshot } from './metrics/metric-store.js'

export interface StoredItem extends InputLogEvent {
  logGroupName: string
  logStreamName: string
}

/** The content of a sandbox, and the methods that change it. */
export interface SandboxState {
  faults: Pick<Faults, 'set' | 'clear' | 'list'>
  ledger (): LedgerSnapshot
  /** The last calls, newest last; at most 1,000. */
  calls (limit?: number): CallRecord[]
  /** Stored log events, stream by stream in the order in which they were stored. */
  items (logGroupName?: string): Iterable<StoredItem>
  series (namespace?: string): SeriesSnapshot[]
  /** Makes a function that subscription filters may name: in this process, or at a URL. */
  setFunction (name: string, target: LambdaFunction): void
  /** Resolves when every stored event has reached the functions that are subscribed to it, or was given up. */
  subscriptionsIdle (): Promise<void>
  /** Clears log groups, metrics, ledger and faults. */
  reset (): void
}

/** A CloudWatch and a CloudWatch Logs on loopback. */
export interface Sandbox extends SandboxState {
  /** The value of AWS_ENDPOINT_URL for clients of the sandbox. */
  url: string
  port: number
  /** Cuts every connection. May be called twice. */
  close (): Promise<void>
}
