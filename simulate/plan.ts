import { LEASE_LIMITS } from '../plugins/spool.js'
import { leaseCost, requestMicros } from './lease-cost.js'
import { RATES } from './rates.js'
import { FLOW_KINDS, sizesOf, type Flow, type Scenario } from './scenario.js'

/** How busy a process may be on average. */
const BUSY = 0.7
/** How full the memory of Redis may be at the end of the longest outage. */
const FULL = 0.8

export interface Plan {
  webs: number
  forwarders: number
  redisShards: number
}

/** What each second takes. */
export interface Load {
  /** Cores. */
  web: number
  forwarder: number
  redis: number
  /** Deliveries under way at once, of the kind that has more of them. */
  slots: number
  /** That are added to the spool. */
  bytes: number
}

/** Processes and shards that carry what arrives, and the longest outage. */
export function plan (scenario: Scenario): Plan {
  const load = loadOf(scenario)
  const outageSeconds = Math.max(0, ...scenario.outages.map(({ from, to }) => to - from)) + scenario.flushIntervalMs / 1_000
  const backlog = Math.min(scenario.spoolMaxBytes, load.bytes * outageSeconds) * RATES.redisMemory
  const atLeastOne = (need: number): number => Math.max(1, Math.ceil(need))
  return {
    webs: atLeastOne(load.web / BUSY),
    forwarders: atLeastOne(Math.max(load.forwarder, load.slots / scenario.concurrency) / BUSY),
    redisShards: atLeastOne(Math.max(load.redis / BUSY, backlog / FULL / scenario.redisMemoryBytes))
  }
}

export function loadOf ({ flows, flushIntervalMs, latencyMs }: Pick<Scenario, 'flows' | 'flushIntervalMs' | 'latencyMs'>): Load {
  const load: Load = { web: 0, forwarder: 0, redis: 0, slots: 0, bytes: 0 }
  const slots = Object.fromEntries(FLOW_KINDS.map(kind => [kind, 0])) as Record<Flow['kind'], number>
  for (const flow of flows) {
    const { leasesPerSecond, cost } = deliveryOf(flow, flushIntervalMs)
    load.web += flow.requestsPerSecond * requestMicros(flow, RATES.web) / 1e6
    load.redis += (flow.requestsPerSecond * requestMicros(flow, RATES.redisAppend) + leasesPerSecond * cost.redisMicros) / 1e6
    load.forwarder += leasesPerSecond * cost.micros / 1e6
    load.bytes += flow.requestsPerSecond * flow.itemsPerRequest * sizesOf(flow).stored
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
  return { leasesPerSecond: flow.destinations * perSecond / items, cost: leaseCost(flow, sizes, items, 0, items / perSecond * 1_000) }
}
