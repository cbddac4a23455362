import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { BackoffSchedules } from '../../lib/resilience/backoff.js'
import {
  createForwarder, type Forwarder, type ForwarderObserver, type ForwarderOptions
} from '../../lib/delivery/forwarder.js'
import { PUT_LOG_EVENTS } from '../../schemas/aws-limits.js'
import type { ReceiptUpdate } from '../../lib/delivery/receipts.js'
import { createLogEventsSink } from '../../lib/delivery/sinks/log-events/log-events-sink.js'
import { TextLogEventBuffer } from '../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import type { Sink } from '../../lib/delivery/sinks/sink.js'
import { openEmbeddedSpool } from '../../lib/spool/embedded/embedded-spool.js'
import type { Spool, SpoolOptions } from '../../lib/spool/spool.js'
import type { StoredLogEvent } from '../../lib/items/item.js'
import { logRecords, unlimitedLogs, type Cloud } from './delivery.js'
import type { Teardown } from './teardown.js'

export const SPOOL_OPTIONS: SpoolOptions = {
  lingerMs: 100,
  leaseMs: 10_000,
  maxBytes: 100_000_000,
  limits: {
    logs: { items: PUT_LOG_EVENTS.MAX_EVENTS, bytes: PUT_LOG_EVENTS.MAX_BYTES },
    metrics: { items: 50_000, bytes: 8_000_000 },
    metering: { items: 500, bytes: 1_000_000 }
  },
  deadLetterMaxAgeMs: 3_600_000,
  deadLetterMaxBytes: 100_000_000
}

/** Quick, so that a test sees many attempts. */
export const QUICK_BACKOFF: BackoffSchedules = {
  retry: { floorMs: 10, baseMs: 20, capMs: 200 },
  denied: { floorMs: 100, baseMs: 100, capMs: 200 },
  conflict: { floorMs: 10, baseMs: 20, capMs: 100 }
}

/** The embedded spool in a folder of its own; closed and removed with the test. */
export async function openSpool (t: Teardown, options: Partial<SpoolOptions> = {}): Promise<Spool> {
  const dataDir = await mkdtemp(join(tmpdir(), 'forwarder-'))
  const spool = await openEmbeddedSpool({ ...SPOOL_OPTIONS, ...options, dataDir, sync: 'commit' })
  t.teardown(async () => {
    await spool.close()
    await rm(dataDir, { recursive: true, force: true })
  })
  return spool
}

export interface Logged {
  level: 'info' | 'warn' | 'error'
  message: string
  fields: Record<string, unknown>
}

export interface Observed {
  logged: Logged[]
  receipts: ReceiptUpdate[]
  delivered: Array<{ destination: string, items: number, delayMs: number }>
  rejected: number
  deadLettered: number
  repeated: number
  /** Class by class, how many deliveries will be tried again. */
  retries: Record<string, number>
  calls: number
}

/** A forwarder that is watched; stopped with the test. */
export function watchForwarder (
  t: Teardown, spool: Spool, sink: Sink, options: Partial<ForwarderOptions> = {}
): { forwarder: Forwarder, observed: Observed } {
  const observed: Observed = {
    logged: [],
    receipts: [],
    delivered: [],
    rejected: 0,
    deadLettered: 0,
    repeated: 0,
    retries: {},
    calls: 0
  }
  const observer: ForwarderObserver = {
    onCall: () => { observed.calls++ },
    onDelivered: (_kind, destination, items, delayMs) => { observed.delivered.push({ destination, items, delayMs }) },
    onRejected: (_kind, _reason, items) => { observed.rejected += items },
    onDeadLettered: (_kind, _reason, items) => { observed.deadLettered += items },
    onRepeated: (_kind, items) => { observed.repeated += items },
    onRetry: (_kind, failure) => { observed.retries[failure] = (observed.retries[failure] ?? 0) + 1 }
  }
  const logAs = (level: Logged['level']) =>
    (fields: object, message: string) => { observed.logged.push({ level, message, fields: { ...fields } }) }
  const forwarder = createForwarder({
    spool,
    sink,
    concurrency: 2,
    leaseMs: SPOOL_OPTIONS.leaseMs,
    lingerMs: SPOOL_OPTIONS.lingerMs,
    backoff: QUICK_BACKOFF,
    log: { info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
    observer,
    receipts: { publish: update => { observed.receipts.push(update) } },
    now: Date.now,
    monotonicNow: () => performance.now(),
    random: Math.random,
    ...options
  })
  t.teardown(() => forwarder.stop(0))
  return { forwarder, observed }
}

/** Appends one record for each message. */
export async function appendMessages (
  spool: Spool, destination: string, messages: string[], urgent = false
): Promise<void> {
  for (const message of messages) {
    await spool.append({
      kind: 'logs',
      destination,
      records: logRecords([[Date.now(), message] satisfies StoredLogEvent]),
      urgent
    })
  }
}

/** Waits for what has to come; a test that waits in vain fails by what it checks next. */
export async function until (condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!await condition() && Date.now() < deadline) await sleep(10)
}

export function isEmpty (spool: Spool): () => Promise<boolean> {
  return async () => (await spool.ledger()).inSpool === 0
}

/** Every accepted item has exactly one outcome, or still waits for it. */
export async function checkBalance (t: Test, spool: Spool, expected: object = { inSpool: 0 }): Promise<void> {
  const ledger = await spool.ledger()
  const rejected = Object.values(ledger.rejected).reduce((a, b) => a + b, 0)
  t.equal(ledger.accepted, ledger.delivered + rejected + ledger.deadLettered + ledger.inSpool, 'the ledger balances')
  t.match(ledger, expected)
}

export const logsSink = ({ logs }: Cloud): Sink =>
  createLogEventsSink({ logs, rateLimiters: unlimitedLogs, createBuffer: () => new TextLogEventBuffer() })
export const messagesOf = (
  { sandbox }: Cloud, group?: string
): string[] => [...sandbox.items(group)].map(({ message }) => message)
export const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i}`)
