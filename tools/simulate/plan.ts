import { DEFAULT_BACKOFF } from '../../lib/resilience/backoff.js'
import { LEASE_LIMITS } from '../../lib/spool/batch-limits.js'
import { leaseCost, requestMicros } from './lease-cost.js'
import { RATES } from './rates.js'
import { FLOW_KINDS, sizesOf, type Flow, type Scenario } from './scenario.js'

/** How busy a web process or Redis may be on average. */
export const BUSY = 0.7
/** Forwarders, and Redis for them, can deliver so many times the load: a backlog drains in half its time of growth. */
const DRAIN_FACTOR = 3
/** How full spool and memory of Redis may be after the longest outage. */
const FULL = 0.8
/** A destination may be tried again as late as this after an outage. */
const MAX_BACKOFF_SECONDS = DEFAULT_BACKOFF.retry.capMs / 1_000

export interface Plan {
  webs: number
  forwarders: number
  redisShards: number
}

/** The load of one second. */
export interface Load {
  /** Cores of the web processes. */
  web: number
  forwarder: number
  redisAppend: number
  redisDeliver: number
  /** Deliveries under way at once, for the kind that has more of them. */
  slots: number
  /** Bytes that are added to the spool, and to the memory of Redis. */
  bytes: number
  memory: number
}

/** The size of a spool that holds the items of the longest outage with room to spare. */
export function spoolBytesFor (scenario: Scenario): number {
  return Math.ceil(loadOf(scenario).bytes * fillSeconds(scenario) / FULL)
}

/** How long items come in before the first of them leave. */
function fillSeconds ({ outages, flushIntervalMs }: Scenario): number {
  return Math.max(0, ...outages.map(({ from, to }) => to - from)) + MAX_BACKOFF_SECONDS + flushIntervalMs / 1_000
}

/** The processes and shards that carry the load, and the longest outage. */
export function plan (scenario: Scenario): Plan {
  const load = loadOf(scenario)
  const backlog = load.memory * Math.min(fillSeconds(scenario), scenario.spoolMaxBytes / load.bytes)
  const atLeastOne = (need: number): number => Math.max(1, Math.ceil(need))
  return {
    webs: atLeastOne(load.web / BUSY),
    forwarders: atLeastOne(DRAIN_FACTOR * Math.max(load.forwarder, load.slots / scenario.concurrency)),
    redisShards: atLeastOne(Math.max(
      (load.redisAppend + load.redisDeliver) / BUSY,
      load.redisAppend + DRAIN_FACTOR * load.redisDeliver,
      backlog / FULL / scenario.redisMemoryBytes
    ))
  }
}

export function loadOf (
  { flows, flushIntervalMs, latencyMs }: Pick<Scenario, 'flows' | 'flushIntervalMs' | 'latencyMs'>
): Load {
  const load: Load = { web: 0, forwarder: 0, redisAppend: 0, redisDeliver: 0, slots: 0, bytes: 0, memory: 0 }
  const slots = Object.fromEntries(FLOW_KINDS.map(kind => [kind, 0])) as Record<Flow['kind'], number>
  for (const flow of flows) {
    const { leasesPerSecond, cost } = deliveryOf(flow, flushIntervalMs)
    load.web += flow.requestsPerSecond * requestMicros(flow, RATES.web) / 1e6
    load.redisAppend += flow.requestsPerSecond * requestMicros(flow, RATES.redisAppend) / 1e6
    load.redisDeliver += leasesPerSecond * cost.redisMicros / 1e6
    load.forwarder += leasesPerSecond * cost.micros / 1e6
    load.bytes += flow.requestsPerSecond * flow.itemsPerRequest * sizesOf(flow).stored
    load.memory += flow.requestsPerSecond * flow.itemsPerRequest * sizesOf(flow).memory
    slots[flow.kind] += leasesPerSecond * (cost.micros / 1e6 + cost.calls * latencyMs / 1_000)
  }
  load.slots = Math.max(...Object.values(slots))
  return load
}

/** Leases of all destinations of a flow when nothing is in their way. */
function deliveryOf (flow: Flow, flushIntervalMs: number) {
  const sizes = sizesOf(flow)
  const limits = LEASE_LIMITS[flow.kind]
  const perSecond = flow.requestsPerSecond * flow.itemsPerRequest / flow.destinations
  const full = Math.min(limits.items, Math.floor(limits.bytes / sizes.counted))
  const items = Math.min(full, Math.max(flow.itemsPerRequest, perSecond * flushIntervalMs / 1_000))
  return {
    leasesPerSecond: flow.destinations * perSecond / items,
    cost: leaseCost(flow, sizes, items, 0, items / perSecond * 1_000)
  }
}
