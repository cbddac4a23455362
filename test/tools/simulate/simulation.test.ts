import fc from 'fast-check'
import t from 'tap'
import { PUT_LOG_EVENTS } from '../../../schemas/aws-limits.js'
import { LEASE_LIMITS } from '../../../lib/spool/batch-limits.js'
import { leaseCost } from '../../../tools/simulate/lease-cost.js'
import { plan } from '../../../tools/simulate/plan.js'
import { runScenario } from '../../../tools/simulate/run.js'
import { DEFAULT_FLOWS, DEFAULTS, FLOW_KINDS, sizesOf, type Flow, type Outage, type Scenario } from '../../../tools/simulate/scenario.js'
import { REFUSALS, Simulation, type Totals } from '../../../tools/simulate/simulation.js'

const logs = (flow: Partial<Flow>): Flow => ({ ...DEFAULT_FLOWS.logs, ...flow })
const metrics = (flow: Partial<Flow>): Flow => ({ ...DEFAULT_FLOWS.metrics, ...flow })
const scenarioOf = (scenario: Partial<Scenario>): Scenario => ({ ...DEFAULTS, ...scenario })
const refusedItems = ({ refused }: Totals): number => REFUSALS.reduce((sum, cause) => sum + refused[cause], 0)

const flows = fc.array(fc.record({
  kind: fc.constantFrom(...FLOW_KINDS),
  requestsPerSecond: fc.integer({ min: 1, max: 20_000 }),
  itemsPerRequest: fc.integer({ min: 1, max: 50 }),
  itemBytes: fc.integer({ min: 80, max: 5_000 }),
  destinations: fc.integer({ min: 1, max: 20 }),
  series: fc.integer({ min: 1, max: 20_000 }),
  distinctValues: fc.integer({ min: 1, max: 5_000 })
}), { minLength: 1, maxLength: 2 })

const scenarios = fc.record({
  flows,
  webs: fc.integer({ min: 1, max: 4 }),
  forwarders: fc.integer({ min: 1, max: 4 }),
  redisShards: fc.integer({ min: 0, max: 3 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  flushIntervalMs: fc.integer({ min: 50, max: 3_000 }),
  latencyMs: fc.integer({ min: 1, max: 500 }),
  quotaTps: fc.record({ logs: fc.integer({ min: 1, max: 100 }), metrics: fc.integer({ min: 1, max: 100 }) }),
  spoolMaxBytes: fc.integer({ min: 2 ** 20, max: 2 ** 28 }),
  outages: fc.constantFrom<Outage[]>([], [{ from: 2, to: 4 }], [{ from: 1, to: 2 }, { from: 3, to: 5 }]),
  seed: fc.integer({ min: 1, max: 1_000 })
}).map(scenarioOf)

t.test('whatever happens, every accepted item is delivered or waits, quotas and spool hold, and no call carries more than it may', async () => {
  fc.assert(fc.property(scenarios, scenario => {
    const simulation = new Simulation(scenario)
    let before = simulation.read().totals
    for (let second = 1; second <= 8; second++) {
      for (let quarter = 1; quarter <= 4; quarter++) {
        simulation.runTo(second - 1 + quarter / 4)
        const { accepted, offered, delivered, waiting, leased, bytes } = simulation.totals
        if (accepted !== delivered + waiting + leased) return false
        if (offered !== accepted + refusedItems(simulation.totals)) return false
        if (waiting < 0 || leased < 0 || bytes > scenario.spoolMaxBytes) return false
      }
      const { totals } = simulation.read()
      for (const kind of FLOW_KINDS) {
        if (totals.calls[kind].taken - before.calls[kind].taken > scenario.quotaTps[kind]) return false
      }
      before = totals
    }
    const logFlows = scenario.flows.filter(({ kind }) => kind === 'logs')
    if (logFlows.length !== scenario.flows.length) return true
    const perCall = Math.max(...logFlows.map(flow => Math.min(PUT_LOG_EVENTS.MAX_EVENTS, PUT_LOG_EVENTS.MAX_BYTES / sizesOf(flow).counted)))
    return simulation.totals.delivered <= simulation.totals.calls.logs.taken * perCall
  }), { numRuns: 60 })
})

t.test('the same scenario gives the same result', async t => {
  const scenario = scenarioOf({ flows: [logs({ requestsPerSecond: 500 }), metrics({ requestsPerSecond: 300 })], seconds: 40, outages: [{ from: 5, to: 15 }] })
  t.same(await runScenario(scenario, 10), await runScenario(scenario, 10))
})

t.test('when nothing binds, no item waits for longer than the flush interval, its call and its CPU', async t => {
  for (const flushIntervalMs of [100, 1_000, 5_000]) {
    const wanted = scenarioOf({ flows: [logs({ requestsPerSecond: 2_000 }), metrics({ requestsPerSecond: 2_000 })], flushIntervalMs, latencyMs: 80, seconds: 30 })
    const scenario = { ...wanted, ...plan(wanted) }
    const { intervals, p99, maxOldestMs } = await runScenario(scenario, 10)
    // Destinations that fall due at the same moment wait for each other's CPU and calls.
    const turnMs = 16 / scenario.forwarders / scenario.concurrency * (80 + 10)
    t.ok(p99! <= flushIntervalMs + 80 + turnMs, `${p99} ms at a flush interval of ${flushIntervalMs} ms`)
    t.ok(maxOldestMs <= flushIntervalMs + 80 + turnMs + 100, `${maxOldestMs} ms at most`)
    t.same(intervals.flatMap(({ binds }) => binds), [])
  }
})

t.test('full batches do not linger', async t => {
  const flow = logs({ requestsPerSecond: 200, itemsPerRequest: 100, destinations: 1 })
  const { intervals, p99, last } = await runScenario(scenarioOf({ flows: [flow], flushIntervalMs: 60_000, seconds: 30 }), 30)
  const { delivered, leased, calls } = last.totals
  const full = Math.floor(PUT_LOG_EVENTS.MAX_BYTES / sizesOf(flow).counted)
  t.ok(calls.logs.taken >= delivered / full)
  t.ok(calls.logs.taken <= (delivered + leased) / full)
  t.ok(p99! < 1_000, `${p99} ms`)
  t.same(intervals[0]!.binds, [])
})

t.test('what has waited drains at what the forwarders can do, less what arrives', async t => {
  const flow = logs({ requestsPerSecond: 2_000, itemsPerRequest: 100, destinations: 40 })
  const scenario = scenarioOf({ flows: [flow], webs: 30, redisShards: 4, forwarders: 1, concurrency: 8, seconds: 160, spoolMaxBytes: Infinity, outages: [{ from: 10, to: 70 }] })
  const items = Math.floor(Math.min(LEASE_LIMITS.logs.items, LEASE_LIMITS.logs.bytes / sizesOf(flow).counted))
  const capacity = items / leaseCost(flow, sizesOf(flow), items, 0, 0).micros * 1e6
  const { intervals } = await runScenario(scenario, 5)
  const draining = intervals.filter(({ at, binds }) => at > 75 && binds.includes('forwarder CPU'))
  t.ok(draining.length >= 2, `${draining.length} intervals`)
  const first = draining[0]!
  const last = draining.at(-1)!
  const slope = (first.backlogItems - last.backlogItems) / (last.at - first.at)
  const expected = capacity - 200_000
  t.ok(Math.abs(slope / expected - 1) < 0.1, `${Math.round(slope)} items/s, expected ${Math.round(expected)}`)
})

t.test('a quota that is too small is found by the pace, and nearly used', async t => {
  const scenario = scenarioOf({ flows: [metrics({ requestsPerSecond: 1_000, destinations: 60, series: 600 })], forwarders: 8, quotaTps: { ...DEFAULTS.quotaTps, metrics: 20 }, seconds: 240 })
  const { intervals, last } = await runScenario(scenario, 60)
  const { taken, throttled } = last.totals.calls.metrics
  t.ok(taken <= 20 * 240)
  t.ok(taken >= 0.6 * 20 * 240, `${taken} calls taken`)
  t.ok(throttled < taken, `${throttled} throttled`)
  t.ok(intervals.every(({ binds }) => binds.includes('quota')))
})

t.test('what does not fit into the spool is refused, and the rest is delivered', async t => {
  const scenario = scenarioOf({ flows: [logs({ requestsPerSecond: 1_000 })], spoolMaxBytes: 2 ** 20, seconds: 120, outages: [{ from: 5, to: 45 }] })
  const { last: { totals }, maxBacklogBytes, recoveries } = await runScenario(scenario, 30)
  t.ok(totals.refused.spool > 0)
  t.ok(maxBacklogBytes <= 2 ** 20)
  t.ok(totals.delivered > 0.98 * totals.accepted)
  t.ok(recoveries[0]!.drainSeconds !== null)
})

t.test('web processes and Redis that are too slow refuse what they cannot take', async t => {
  const flow = logs({ requestsPerSecond: 60_000 })
  const slowWeb = await runScenario(scenarioOf({ flows: [flow], webs: 2, redisShards: 4, forwarders: 4, seconds: 20 }), 20)
  t.ok(slowWeb.last.totals.refused.web > 0)
  t.ok(slowWeb.intervals[0]!.binds.includes('web CPU'))
  const slowRedis = await runScenario(scenarioOf({ flows: [logs({ requestsPerSecond: 400_000 })], webs: 60, redisShards: 1, forwarders: 4, seconds: 30, spoolMaxBytes: Infinity }), 30)
  t.ok(slowRedis.last.totals.refused.redis > 0)
  t.ok(slowRedis.intervals[0]!.binds.includes('Redis CPU'))
})
