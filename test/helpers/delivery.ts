import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { RejectionReason } from '../../schemas/reasons.js'
import type { RateLimiter } from '../../lib/resilience/rate-limiter.js'
import { countDatum, countLogEvent, decodeRecord, encodeRecords, type ReceiptRef } from '../../lib/spool/record.js'
import type { StoredDatum, StoredLogEvent } from '../../lib/items/item.js'
import { awsClientOptions } from '../../lib/delivery/aws-client-options.js'
import { DecodedLogEventBuffer } from '../../lib/delivery/sinks/log-events/decoded-log-event-buffer.js'
import type { LogEventBuffer } from '../../lib/delivery/sinks/log-events/log-event-buffer.js'
import { TextLogEventBuffer } from '../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import { LOG_DESTINATION_TPS } from '../../schemas/aws-limits.js'
import type { DeliverContext, SinkCall } from '../../lib/delivery/sinks/sink.js'
import type { Lease, Settlement, SpoolRecord } from '../../lib/spool/spool.js'
import type { Kind } from '../../schemas/kinds.js'
import type { Sandbox } from '../../tools/sandbox/sandbox.js'
import { startSandbox, type SandboxOptions } from '../../tools/sandbox/server.js'
import type { Teardown } from './teardown.js'

/** Lets everything through at once. */
export const unlimited: RateLimiter = {
  acquire: async signal => signal.throwIfAborted(),
  succeeded: () => {},
  throttled: () => {}
}

export const unlimitedLogs = {
  PutLogEvents: unlimited,
  ...Object.fromEntries(
    Object.keys(LOG_DESTINATION_TPS).map(api => [api, unlimited])
  ) as Record<keyof typeof LOG_DESTINATION_TPS, RateLimiter>
}

/** Every implementation of the buffer of a lease of log events, by its name. */
export const LOG_EVENT_BUFFERS: ReadonlyArray<[name: string, createBuffer: () => LogEventBuffer]> = [
  ['text', () => new TextLogEventBuffer()],
  ['decoded', () => new DecodedLogEventBuffer()]
]

export interface Cloud {
  sandbox: Sandbox
  cloudwatch: CloudWatchClient
  logs: CloudWatchLogsClient
}

/** A sandbox and the real clients of the SDK that talk to it; closed with the test. */
export async function startCloud (
  t: Teardown, options: SandboxOptions & { requestTimeoutMs?: number } = {}
): Promise<Cloud> {
  const sandbox = await startSandbox(options)
  const settings = {
    endpoint: sandbox.url,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    ...awsClientOptions({ region: 'eu-west-1', requestTimeoutMs: options.requestTimeoutMs ?? 5_000 })
  }
  const cloud = { sandbox, cloudwatch: new CloudWatchClient(settings), logs: new CloudWatchLogsClient(settings) }
  t.teardown(async () => {
    cloud.cloudwatch.destroy()
    cloud.logs.destroy()
    await sandbox.close()
  })
  return cloud
}

export interface WatchedContext extends DeliverContext {
  calls: SinkCall[]
  rejected: Array<[destination: string, reason: RejectionReason, count: number]>
  extensions: number
}

/** Notes what a sink reports. */
export function watchedContext (signal: AbortSignal = new AbortController().signal): WatchedContext {
  const context: WatchedContext = {
    signal,
    calls: [],
    rejected: [],
    extensions: 0,
    async extend () {
      context.extensions++
      return true
    },
    onCall: call => { context.calls.push(call) },
    standAside: () => {},
    onRejected: (destination, reason, count) => { context.rejected.push([destination, reason, count]) }
  }
  return context
}

let leases = 0

export function leaseOf (kind: Kind, destination: string, records: SpoolRecord[], attempt = 0): Lease {
  return {
    id: `lease-${++leases}`,
    kind,
    destination,
    attempt,
    records: records.map(record => ({ ...record, appendedAt: 0 }))
  }
}

export function logRecords (events: StoredLogEvent[], receipt?: ReceiptRef): SpoolRecord[] {
  return encodeRecords(events, countLogEvent, receipt)
}

export function metricRecords (datums: StoredDatum[], receipt?: ReceiptRef): SpoolRecord[] {
  return encodeRecords(datums, countDatum, receipt)
}

export function itemsOf<Item> (records: SpoolRecord[] = []): Item[] {
  return records.flatMap(record => decodeRecord<Item>(record).items)
}

/** Items that a settlement accounts for; those of the lease, or the spool refuses it. */
export function accountedItems ({
  delivered,
  rejected = {},
  deadLetters = [],
  remainder = [],
  unread = []
}: Settlement): number {
  const sum = (parts: Array<{ items: number }>): number => parts.reduce((total, { items }) => total + items, 0)
  return delivered + Object.values(rejected).reduce(
    (a, b) => a + b, 0
  ) + sum(deadLetters) + sum(remainder) + sum(unread)
}
