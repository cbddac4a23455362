import { API, FLOW_KINDS, PACE_TPS, type Scenario } from './scenario.js'
import { REFUSALS, type Reading, type Refusal } from './simulation.js'

const BUSY = 0.97
/** A mean wait of calls above this is a wait for the rate limiter, not for a turn. */
const PACED_MS = 20

const REFUSED_BY: Record<Refusal, string> = {
  web: 'web CPU', redis: 'Redis CPU', memory: 'Redis memory', spool: 'spool'
}

/** One line of the table over time. */
export interface Interval {
  /** Seconds from the start to the end of the interval. */
  at: number
  /** Items per second. */
  offered: number
  accepted: number
  refused: number
  delivered: number
  backlogItems: number
  backlogBytes: number
  /** Calls made per second. */
  calls: { logs: number, metrics: number }
  throttled: number
  oldestMs: number
  p50: number | null
  p99: number | null
  /** Shares of the time in which processes were busy. */
  busy: Reading['busy']
  /** The limits that keep items from being accepted or delivered, in words. */
  binds: string[]
}

/** The figures of the time between two readings. */
export function intervalOf (scenario: Scenario, before: Reading, after: Reading): Interval {
  const seconds = after.at - before.at
  const rate = (read: (reading: Reading) => number): number => (read(after) - read(before)) / seconds
  const sum = (refused: Record<Refusal, number>): number => REFUSALS.reduce((sum, cause) => sum + refused[cause], 0)
  const busy = Object.fromEntries(Object.entries(after.busy).map(([name, ms]) =>
    [name, (ms - before.busy[name as keyof Reading['busy']]) / seconds / 1_000])) as Reading['busy']
  const interval: Interval = {
    at: after.at,
    offered: rate(({ totals }) => totals.offered),
    accepted: rate(({ totals }) => totals.accepted),
    refused: rate(({ totals }) => sum(totals.refused)),
    delivered: rate(({ totals }) => totals.delivered),
    backlogItems: after.totals.waiting + after.totals.leased,
    backlogBytes: after.totals.bytes,
    calls: {
      logs: rate(({ totals }) => totals.calls.logs.made),
      metrics: rate(({ totals }) => totals.calls.metrics.made)
    },
    throttled: rate(({ totals }) => totals.calls.logs.throttled + totals.calls.metrics.throttled),
    oldestMs: after.oldestMs,
    p50: after.delays.percentile(0.5),
    p99: after.delays.percentile(0.99),
    busy,
    binds: []
  }
  interval.binds = bindsOf(scenario, before, after, interval)
  return interval
}

function bindsOf ({ redisShards }: Scenario, before: Reading, after: Reading, { throttled, busy }: Interval): string[] {
  const binds = new Set<string>()
  if (before.away || after.away) binds.add('outage')
  for (const cause of REFUSALS) {
    if (after.totals.refused[cause] > before.totals.refused[cause]) binds.add(REFUSED_BY[cause])
  }
  if (throttled > 0) binds.add('quota')
  for (const kind of FLOW_KINDS) {
    const calls = after.totals.calls[kind].made - before.totals.calls[kind].made
    if (calls / (after.at - before.at) > BUSY * PACE_TPS[kind]) binds.add(`pace of ${API[kind]}`)
    if ((after.totals.paced[kind] - before.totals.paced[kind]) / calls > PACED_MS) {
      binds.add(throttled > 0 ? 'quota' : `pace of ${API[kind]}`)
    }
  }
  if (!after.away && after.held > 0) binds.add('backoff')
  if (busy.forwarder > BUSY) binds.add(redisShards === 0 ? 'CPU' : 'forwarder CPU')
  else if (busy.slots > BUSY && binds.size === 0) binds.add('FORWARDER_CONCURRENCY')
  if (busy.web > BUSY && redisShards > 0) binds.add('web CPU')
  if (busy.redis > BUSY) binds.add('Redis CPU')
  return [...binds]
}
