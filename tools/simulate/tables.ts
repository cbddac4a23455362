import { spoolBytesFor, plan } from './plan.js'
import { RATES } from './rates.js'
import { seconds, short } from './report.js'
import { runScenario, type Result } from './run.js'
import { DEFAULT_FLOWS, DEFAULTS, type Flow, type Scenario } from './scenario.js'

const GIB = 2 ** 30
const OUTAGE = { from: 60, to: 660 }
/** Seconds of a run: the outage, as long again, and time for the last items to be delivered. */
const SECONDS = 1_320
/** Destinations on each shard. A destination lives in one shard, so that it takes several to keep all shards busy. */
const DESTINATIONS_OF_SHARD = { logs: 10, metrics: 4 }
const LOGS: Flow = { ...DEFAULT_FLOWS.logs, destinations: 64 }
const METRICS: Flow = { ...DEFAULT_FLOWS.metrics, destinations: 8, series: 10_000 }
const FLOWS: Flow[] = [
  { ...LOGS, requestsPerSecond: 100_000 },
  { ...LOGS, requestsPerSecond: 100_000, itemsPerRequest: 10 },
  { ...METRICS, requestsPerSecond: 100_000 },
  { ...METRICS, requestsPerSecond: 100_000, itemsPerRequest: 10 },
  { ...LOGS, requestsPerSecond: 1_000_000 },
  { ...METRICS, requestsPerSecond: 1_000_000 }
]

interface Run {
  label: string
  flow: Flow
  scenario: Scenario
  /** The result without the outage. */
  calm: Result
  outage: Result
}

/** The tables of docs/scaling.md. @param progress is told what is computed */
export async function scalingTables (progress: (label: string) => Promise<void>): Promise<string> {
  const runs: Run[] = []
  for (const flow of FLOWS) {
    await progress(labelOf(flow))
    runs.push(await runBoth(flow))
  }
  return [sizes(runs), costs(runs), delays(runs)].join('\n')
}

function labelOf ({ kind, requestsPerSecond, itemsPerRequest }: Flow): string {
  const item = kind === 'logs' ? 'log event' : 'data point'
  return `${requestsPerSecond.toLocaleString('en')} × ${itemsPerRequest} ${item}${itemsPerRequest === 1 ? '' : 's'}`
}

async function runBoth (flow: Flow): Promise<Run> {
  const wanted = scenarioOf(flow)
  const destinations = Math.max(flow.destinations, DESTINATIONS_OF_SHARD[flow.kind] * plan(wanted).redisShards)
  const spread = scenarioOf({ ...flow, destinations })
  const scenario = { ...spread, ...plan(spread) }
  return {
    label: labelOf(flow),
    flow,
    scenario,
    calm: await runScenario({ ...scenario, outages: [], seconds: OUTAGE.from }, OUTAGE.from),
    outage: await runScenario(scenario, SECONDS)
  }
}

function scenarioOf (flow: Flow): Scenario {
  const scenario: Scenario = { ...DEFAULTS, flows: [flow], seconds: SECONDS, outages: [OUTAGE] }
  return { ...scenario, spoolMaxBytes: spoolBytesFor(scenario) }
}

function sizes (runs: Run[]): string {
  return table(['requests/s × items', 'streams or namespaces', 'web', 'forwarders', 'Redis shards of 8 GiB', '`SPOOL_MAX_BYTES`'], runs.map(({ label, scenario: { flows, webs, forwarders, redisShards, spoolMaxBytes } }) =>
    [label, short(flows[0]!.destinations), short(webs), short(forwarders), short(redisShards), `${short(spoolMaxBytes / GIB)} GiB`]))
}

function costs (runs: Run[]): string {
  const dollars = (value: number): string => `$${short(Math.round(value))}`
  return table(['requests/s × items', 'calls/s', 'ingestion', 'calls', 'custom metrics', 'one call per request: calls/s', 'calls'], runs.map(({ label, flow, calm: { costs: { aggregated, direct, calls } } }) =>
    [label, short(calls[flow.kind].aggregated), dollars(aggregated.logs), dollars(aggregated.calls), dollars(aggregated.series), short(calls[flow.kind].direct), dollars(direct.calls)]))
}

function delays (runs: Run[]): string {
  return table(['requests/s × items', 'p50, p99', 'backlog after 10 minutes', 'memory of Redis', 'drained', 'oldest'], runs.map(({ label, flow, calm, outage: { recoveries, maxOldestMs } }) => {
    const { backlogItems, backlogBytes, drainSeconds } = recoveries[0]!
    const memory = backlogBytes * RATES.redisMemory.perByte + backlogItems / flow.itemsPerRequest * RATES.redisMemory.perRequest
    return [label, `${seconds(calm.p50)}, ${seconds(calm.p99)}`, `${short(backlogItems / 1e6)} million`, `${short(memory / GIB)} GiB`, drainSeconds === null ? 'later' : seconds(drainSeconds * 1_000), seconds(maxOldestMs)]
  }))
}

function table (head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |\n`).join('')
}
