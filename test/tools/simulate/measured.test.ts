import t from 'tap'
import { runScenario } from '../../../tools/simulate/run.js'
import { DEFAULT_FLOWS, DEFAULTS, type Flow, type Scenario } from '../../../tools/simulate/scenario.js'

const near = (actual: number, expected: number, tolerance: number): boolean => Math.abs(actual / expected - 1) <= tolerance

/** Against the sandbox on loopback. */
const LOOPBACK_MS = 5

/**
 * Two runs of `npm run chaos -- --outage 60 --rate 1500`, --seed 1 and 2, of 27 November 2026 on 2 cores: one process,
 * embedded spool, requests of 1 to 20 items, 60 % of them log events of 6 streams, 40 % data points of 12 series in
 * 2 namespaces, no value twice.
 */
const OUTAGE = { seconds: 60, backlogs: [91_155, 91_169], firstDeliverySeconds: [7.0, 0.5], drainSeconds: [29.1, 17.1] }

t.test('the outage of npm run chaos', async t => {
  const flows: Flow[] = [
    { ...DEFAULT_FLOWS.logs, requestsPerSecond: 90, itemsPerRequest: 10, itemBytes: 132, destinations: 6 },
    { ...DEFAULT_FLOWS.metrics, requestsPerSecond: 60, itemsPerRequest: 10, itemBytes: 130, destinations: 2, series: 12, distinctValues: Infinity }
  ]
  const scenario: Scenario = { ...DEFAULTS, flows, redisShards: 0, latencyMs: LOOPBACK_MS, seconds: 120, outages: [{ from: 7, to: 7 + OUTAGE.seconds }] }
  const recoveries = []
  for (let seed = 1; seed <= 60; seed++) recoveries.push((await runScenario({ ...scenario, seed }, 120)).recoveries[0]!)
  for (const measured of OUTAGE.backlogs) t.ok(near(recoveries[0]!.backlogItems, measured, 0.02), `${recoveries[0]!.backlogItems} items waited, ${measured} measured`)
  // The gateway waits between two attempts for a random time of up to 30 s, so a drain is a matter of luck.
  const drains = recoveries.map(({ drainSeconds }) => drainSeconds!).sort((a, b) => a - b)
  const mean = OUTAGE.drainSeconds.reduce((sum, drain) => sum + drain) / OUTAGE.drainSeconds.length
  t.comment(`drained after ${drains[0]} to ${drains.at(-1)} s, median ${drains[30]}`)
  t.ok(near(drains[30]!, mean, 0.2), `drained after ${drains[30]} s in the median, ${mean} s measured`)
  for (const measured of OUTAGE.drainSeconds) t.ok(drains[0]! <= measured && measured <= drains.at(-1)! + 1, `${measured} s are within ${drains[0]} to ${drains.at(-1)} s`)
})

/** `npm run bench -- calls --quick` of 27 November 2026 on 2 cores: 50,000 items to one destination at the rate measured. */
const CALLS = [
  { kind: 'metrics', requestsPerSecond: 8_045, redisShards: 0, forwarders: 1, calls: 7 },
  { kind: 'metrics', requestsPerSecond: 5_782, redisShards: 1, forwarders: 1, calls: 9 },
  { kind: 'metrics', requestsPerSecond: 5_999, redisShards: 1, forwarders: 2, calls: 8 },
  { kind: 'logs', requestsPerSecond: 24_849 / 50, redisShards: 0, forwarders: 1, calls: 7 },
  { kind: 'logs', requestsPerSecond: 24_143 / 50, redisShards: 1, forwarders: 1, calls: 7 },
  { kind: 'logs', requestsPerSecond: 73_449 / 50, redisShards: 1, forwarders: 2, calls: 7 }
] as const
const ITEMS = 50_000

t.test('the calls of npm run bench -- calls', async t => {
  for (const { kind, requestsPerSecond, redisShards, forwarders, calls } of CALLS) {
    const itemsPerRequest = kind === 'logs' ? 50 : 1
    const flow: Flow = { ...DEFAULT_FLOWS[kind], requestsPerSecond, itemsPerRequest, destinations: 1, series: 100, distinctValues: 500 }
    const { last } = await runScenario({ ...DEFAULTS, flows: [flow], redisShards, forwarders, latencyMs: LOOPBACK_MS, arrivalSeconds: ITEMS / itemsPerRequest / requestsPerSecond, seconds: 20 }, 20)
    t.ok(last.totals.delivered >= ITEMS - itemsPerRequest, `${last.totals.delivered} delivered`)
    const simulated = last.totals.calls[kind].taken
    t.ok(Math.abs(simulated - calls) <= 1, `${kind}, ${redisShards === 0 ? 'embedded' : `Redis, ${forwarders} forwarders`}: ${simulated} calls, ${calls} measured`)
  }
})
