import { MONTH_SECONDS } from './costs.js'
import { BUSY, loadOf, plan, spoolBytesFor } from './plan.js'
import { MEASURED, RATES } from './rates.js'
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

/** The requests that MEASURED has the costs of. */
const REQUESTS: Record<keyof typeof MEASURED, { label: string, items: number, isLog: boolean }> = {
  '1 × 100': { label: '1 log event of 100 bytes', items: 1, isLog: true },
  '10 × 100': { label: '10 log events of 100 bytes', items: 10, isLog: true },
  '10 × 1000': { label: '10 log events of 1,000 bytes', items: 10, isLog: true },
  '1 point': { label: '1 data point', items: 1, isLog: false },
  '20 points': { label: '20 data points', items: 20, isLog: false }
}
const SPLIT = 8

/** Of us-east-1, in dollars: an hour of a cache.r7g.large with Valkey, which has 13 GiB; a million ECPUs of Valkey. */
const PRICES = { nodeHour: 0.175, millionEcpus: 0.0023 }
const NODES_OF_SHARD = 2
/** CPU of a script for each ECPU, as the estimator of AWS takes it; the exact formula is not published. */
const MICROS_OF_ECPU = 3

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
  return [sizes(runs), destinations(), costs(runs), engines(runs), delays(runs)].join('\n')
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
  const head = [
    'requests/s × items', 'streams or namespaces', 'web', 'forwarders', 'Redis shards of 8 GiB', '`SPOOL_MAX_BYTES`'
  ]
  return table(head, runs.map(({ label, scenario: { flows, webs, forwarders, redisShards, spoolMaxBytes } }) => [
    label, ...[flows[0]!.destinations, webs, forwarders, redisShards].map(short), `${short(spoolMaxBytes / GIB)} GiB`
  ]))
}

/** The most that one destination takes, and a log stream that is spread over several. */
function destinations (): string {
  const head = ['request', 'Redis, µs a request', 'requests/s', `requests/s, \`LOG_STREAM_SHARDS=${SPLIT}\``]
  return table(head, Object.entries(REQUESTS).map(([name, { label, items, isLog }]) => {
    const { redisAppend, redisDeliver } = MEASURED[name as keyof typeof MEASURED]
    const micros = redisAppend + items * redisDeliver
    const rate = BUSY * 1e6 / micros
    return [label, short(micros), short(Math.round(rate)), isLog ? short(Math.round(SPLIT * rate)) : '–']
  }))
}

/** What Redis on AWS costs. */
function engines (runs: Run[]): string {
  const head = [
    'requests/s × items', 'ElastiCache, nodes with a replica each', 'ElastiCache Serverless, at least',
    'MemoryDB: written a month, beside its nodes'
  ]
  return table(head, runs.map(({ label, scenario }) => {
    const { redisAppend, redisDeliver, bytes } = loadOf(scenario)
    const nodes = scenario.redisShards * NODES_OF_SHARD
    const processed = (redisAppend + redisDeliver) * 1e6 / MICROS_OF_ECPU * MONTH_SECONDS
    return [
      label,
      `${short(nodes)} nodes: ${dollars(nodes * PRICES.nodeHour * MONTH_SECONDS / 3_600)}`,
      dollars(processed / 1e6 * PRICES.millionEcpus),
      `${short(bytes * MONTH_SECONDS / 1e12)} TB`
    ]
  }))
}

function costs (runs: Run[]): string {
  const head = [
    'requests/s × items', 'calls/s', 'ingestion', 'calls', 'custom metrics', 'one call per request: calls/s', 'calls'
  ]
  return table(head, runs.map(({ label, flow, calm: { costs: { aggregated, direct, calls } } }) => [
    label, short(calls[flow.kind].aggregated), dollars(aggregated.logs), dollars(aggregated.calls),
    dollars(aggregated.series), short(calls[flow.kind].direct), dollars(direct.calls)
  ]))
}

function delays (runs: Run[]): string {
  const head = ['requests/s × items', 'p50, p99', 'backlog after 10 minutes', 'memory of Redis', 'drained', 'oldest']
  return table(head, runs.map(({ label, flow, calm, outage: { recoveries, maxOldestMs } }) => {
    const { backlogItems, backlogBytes, drainSeconds } = recoveries[0]!
    const { perByte, perRequest } = RATES.redisMemory
    const memory = backlogBytes * perByte + backlogItems / flow.itemsPerRequest * perRequest
    const drained = drainSeconds === null ? 'later' : seconds(drainSeconds * 1_000)
    return [
      label, `${seconds(calm.p50)}, ${seconds(calm.p99)}`, `${short(backlogItems / 1e6)} million`,
      `${short(memory / GIB)} GiB`, drained, seconds(maxOldestMs)
    ]
  }))
}

function dollars (value: number): string {
  return `$${short(Math.round(value))}`
}

function table (head: string[], rows: string[][]): string {
  return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |\n`).join('')
}
