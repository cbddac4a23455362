import { count } from '../shared/screen.js'
import type { Costs } from './costs.js'
import type { Interval } from './interval.js'
import type { Result } from './run.js'
import { API, FLOW_KINDS, PACE_TPS, type Scenario } from './scenario.js'
import { REFUSALS, type Refusal } from './simulation.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

const REFUSED_BY: Record<Refusal, string> = {
  web: 'web processes too slow', redis: 'Redis too slow', memory: 'memory of Redis full', spool: 'spool full'
}
const HEADINGS = [
  '', 'offered/s', 'accepted/s', 'refused/s', 'delivered/s', 'backlog', 'MiB', 'PutLogEvents/s', 'PutMetricData/s',
  'oldest', 'p50', 'p99', '  binds'
]

export function intervalRows (intervals: Interval[]): string[][] {
  return [
    HEADINGS,
    ...intervals.map(({ at, backlogItems, backlogBytes, calls, oldestMs, p50, p99, binds, ...rates }) => [
      `${count(at)} s`,
      ...[
        rates.offered, rates.accepted, rates.refused, rates.delivered, backlogItems, backlogBytes / MIB, calls.logs,
        calls.metrics
      ].map(short),
      seconds(oldestMs), seconds(p50), seconds(p99), `  ${binds.join(', ') || '–'}`
    ])
  ]
}

export function summaryRows (result: Result): string[][] {
  const { p50, p99, maxBacklogItems, maxBacklogBytes, maxOldestMs, recoveries } = result
  const { offered, accepted, refused, delivered, waiting, leased, calls } = result.last.totals
  const after = (passed: number | null): string => passed === null ? 'not in this run' : `${passed.toFixed(1)} s`
  return [
    ['Items', ''],
    ['offered', count(offered)],
    ['accepted', count(accepted)],
    ...REFUSALS.filter(cause => refused[cause] > 0)
      .map(cause => [`answered 503: ${REFUSED_BY[cause]}`, count(refused[cause])]),
    ['delivered', count(delivered)],
    ['not yet delivered', count(waiting + leased)],
    ['delivery delay, p50, p99', `${seconds(p50)}, ${seconds(p99)}`],
    ['oldest that ever waited', seconds(maxOldestMs)],
    ['largest backlog', `${count(maxBacklogItems)}, ${short(maxBacklogBytes / MIB)} MiB`],
    ...FLOW_KINDS.filter(kind => calls[kind].made > 0).map(kind => [
      `${API[kind]}: taken, throttled, failed`,
      [calls[kind].taken, calls[kind].throttled, calls[kind].failed].map(count).join(', ')
    ]),
    ...recoveries.flatMap(({ from, to, backlogItems, backlogBytes, firstDeliverySeconds, drainSeconds }) => [
      [`outage ${from}:${to}: waited at its end`, `${count(backlogItems)}, ${short(backlogBytes / MIB)} MiB`],
      [`outage ${from}:${to}: first delivery, drained`, [firstDeliverySeconds, drainSeconds].map(after).join(', ')]
    ])
  ]
}

export function sizeRows (scenario: Scenario, { last }: Result): string[][] {
  const { busy } = last
  const { webs, forwarders, redisShards, redisMemoryBytes, concurrency, spoolMaxBytes } = scenario
  const share = (ms: number): string => `${Math.round(ms / last.at / 10)} %`
  const rows = redisShards === 0
    ? [['web and forwarder, embedded spool', '1', share(busy.web)]]
    : [
        ['web processes', count(webs), share(busy.web)],
        ['forwarder processes', count(forwarders), share(busy.forwarder)],
        [`Redis shards of ${short(redisMemoryBytes / GIB)} GiB`, count(redisShards), share(busy.redis)]
      ]
  const slots = concurrency * (redisShards === 0 ? 1 : forwarders)
  return [
    ['', '', 'busy'],
    ...rows,
    ['deliveries of a kind under way at once', count(slots), share(busy.slots)],
    ['SPOOL_MAX_BYTES', `${short(spoolMaxBytes / GIB)} GiB`, '']
  ]
}

export function costRows ({ aggregated, direct, calls }: Costs): string[][] {
  const dollars = (value: number): string => `$${count(Math.round(value))}`
  return [
    ['A month', 'with aggregation', 'one call per request'],
    ...FLOW_KINDS.filter(kind => calls[kind].direct > 0).map(kind => [
      `${API[kind]} per second`,
      short(calls[kind].aggregated),
      `${short(calls[kind].direct)}${calls[kind].direct > PACE_TPS[kind] ? ` (quota ${count(PACE_TPS[kind])})` : ''}`
    ]),
    ['PutMetricData calls', dollars(aggregated.calls), dollars(direct.calls)],
    ['log ingestion', dollars(aggregated.logs), dollars(direct.logs)],
    ['custom metrics', dollars(aggregated.series), dollars(direct.series)],
    ['CloudWatch, altogether', dollars(aggregated.total), dollars(direct.total)]
  ]
}

/** A number with three digits, or with its whole integer part. */
export function short (value: number): string {
  if (value === 0) return '0'
  return Math.abs(value) >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)))
}

export function seconds (ms: number | null): string {
  if (ms === null) return '–'
  return ms >= 99_950 ? `${count(Math.round(ms / 1_000))} s` : `${(ms / 1_000).toFixed(1)} s`
}
