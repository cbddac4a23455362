import { PUT_LOG_EVENTS, PUT_METRIC_DATA } from '../../schemas/aws-limits.js'
import {
  countDatum, countLogEvent, encodeVerbatimLogEvents, encodeVerbatimDatums, encodeRecords
} from '../../lib/spool/record.js'
import type { StoredDatum, StoredLogEvent } from '../../lib/items/item.js'
import type { SpoolRecord } from '../../lib/spool/spool.js'
import { ConfigSchema } from '../../schemas/config.js'
import { RATES } from './rates.js'

export const FLOW_KINDS = ['logs', 'metrics'] as const
export type FlowKind = typeof FLOW_KINDS[number]

export const API = { logs: 'PutLogEvents', metrics: 'PutMetricData' } as const
/** The calls per second that the gateway allows itself, and that an account is allowed unless AWS has raised it. */
export const PACE_TPS: Record<FlowKind, number> = { logs: PUT_LOG_EVENTS.TPS, metrics: PUT_METRIC_DATA.TPS }

/** Requests of one kind. */
export interface Flow {
  kind: FlowKind
  requestsPerSecond: number
  itemsPerRequest: number
  /** UTF-8 bytes of a message, or of the JSON of a datum of one value. */
  itemBytes: number
  /** Log streams, or namespaces. */
  destinations: number
  /** Distinct metrics of all namespaces together. */
  series: number
  /** Distinct values of each series and minute; Infinity: no value comes twice. */
  distinctValues: number
}

/** An outage of CloudWatch, in seconds from the start. */
export interface Outage {
  from: number
  to: number
}

export interface Scenario {
  flows: Flow[]
  seconds: number
  /** Seconds after which no more requests come. */
  arrivalSeconds: number
  /** Shards of Redis; 0: one process is web and forwarder, on the embedded spool. */
  redisShards: number
  /** Bytes of memory of each shard. */
  redisMemoryBytes: number
  webs: number
  forwarders: number
  /** FORWARDER_CONCURRENCY. */
  concurrency: number
  flushIntervalMs: number
  spoolMaxBytes: number
  /** Calls per second that AWS takes. */
  quotaTps: Record<FlowKind, number>
  /** Milliseconds that one call takes. */
  latencyMs: number
  outages: Outage[]
  seed: number
}

const { properties: CONFIG } = ConfigSchema

export const DEFAULTS: Scenario = {
  flows: [],
  seconds: 60,
  arrivalSeconds: Infinity,
  redisShards: 1,
  redisMemoryBytes: 8 * 2 ** 30,
  webs: 1,
  forwarders: 1,
  concurrency: CONFIG.FORWARDER_CONCURRENCY.default,
  flushIntervalMs: CONFIG.FLUSH_INTERVAL_MS.default,
  spoolMaxBytes: CONFIG.SPOOL_MAX_BYTES.default,
  quotaTps: PACE_TPS,
  latencyMs: 50,
  outages: [],
  seed: 1
}

export const DEFAULT_FLOWS: Record<FlowKind, Flow> = {
  logs: {
    kind: 'logs',
    requestsPerSecond: 0,
    itemsPerRequest: 1,
    itemBytes: 100,
    destinations: 16,
    series: 0,
    distinctValues: 0
  },
  metrics: {
    kind: 'metrics',
    requestsPerSecond: 0,
    itemsPerRequest: 1,
    itemBytes: 150,
    destinations: 4,
    series: 1_000,
    distinctValues: 500
  }
}

/** The bytes of one item of a flow. */
export interface ItemSizes {
  /** Bytes that count against the limit of a batch. */
  counted: number
  /** Bytes in the spool, the item's share of the record included. */
  stored: number
  /** Bytes in the memory of Redis. */
  memory: number
}

export function sizesOf (flow: Flow): ItemSizes {
  const { counted, stored } = lineSizesOf(flow)
  const { perByte, perRequest } = RATES.redisMemory
  return { counted, stored, memory: stored * perByte + perRequest / flow.itemsPerRequest }
}

/** The bytes of items, measured on records as intake writes them. */
function lineSizesOf ({ kind, itemsPerRequest, itemBytes }: Flow): Omit<ItemSizes, 'memory'> {
  const time = Date.UTC(2026)
  if (kind === 'logs') {
    const event: StoredLogEvent = [time, 'x'.repeat(itemBytes)]
    const events = repeat(event, itemsPerRequest)
    const logEvents = repeat({ message: event[1] }, itemsPerRequest)
    const body = JSON.stringify({ logGroupName: '/web/shop', logStreamName: 'browser', logEvents })
    const records = encodeVerbatimLogEvents(body, events, time) ?? encodeRecords(events, countLogEvent)
    return { counted: countLogEvent(event), stored: lineBytes(records) / itemsPerRequest }
  }
  const bare: StoredDatum = { MetricName: '', Value: 1, Timestamp: time }
  const datum = { ...bare, MetricName: 'x'.repeat(Math.max(1, itemBytes - countDatum(bare))) }
  const { Timestamp, ...sent } = datum
  const body = JSON.stringify({ params: { Namespace: 'shop', MetricData: repeat(sent, itemsPerRequest) } })
  const records = encodeVerbatimDatums(body, itemsPerRequest, Timestamp) ??
    encodeRecords(repeat(datum, itemsPerRequest), countDatum)
  return { counted: countDatum(datum), stored: lineBytes(records) / itemsPerRequest }
}

function repeat<Item> (item: Item, times: number): Item[] {
  return Array.from({ length: times }, () => item)
}

function lineBytes (records: SpoolRecord | SpoolRecord[]): number {
  return [records].flat().reduce((sum, { line }) => sum + Buffer.byteLength(line), 0)
}
