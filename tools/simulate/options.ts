import type { parseArgs, ParseArgsConfig } from 'node:util'
import { ArgumentError, UsageError } from '../cli/usage-error.js'
import { plan, spoolBytesFor } from './plan.js'
import { DEFAULT_FLOWS, DEFAULTS, FLOW_KINDS, type Flow, type Outage, type Scenario } from './scenario.js'

const GIB = 2 ** 30
const MAX_LINES = 20
const AFTER_OUTAGE = 2

const { logs: LOGS, metrics: METRICS } = DEFAULT_FLOWS
const QUOTA = DEFAULTS.quotaTps

export const USAGE = `Usage: cloudwatch-postman simulate --logs RATE and/or --metrics RATE [options]

Computes, without a network and without waiting, how the gateway and CloudWatch get along: how many items wait,
are refused and are late, how many calls are made, which limit binds, and how much CloudWatch costs.

  --logs RATE, --metrics RATE   requests per second of each
  --log-items N, --metric-items N    items in a request (1)
  --log-bytes N                 bytes of a message (${LOGS.itemBytes})
  --metric-bytes N              bytes of the JSON of a datum (${METRICS.itemBytes})
  --streams N                   log streams (${LOGS.destinations})
  --log-stream-shards N         LOG_STREAM_SHARDS: each of them is spread over so many (1)
  --namespaces N                namespaces (${METRICS.destinations})
  --series N                    distinct metrics, of all namespaces (${METRICS.series})
  --values N                    distinct values of a series in a minute (${METRICS.distinctValues})

  --seconds N                   how long (${DEFAULTS.seconds}, or until long after the last outage)
  --outage FROM:TO              CloudWatch is away, in seconds from the start; may be given several times
  --latency MS                  of a call (${DEFAULTS.latencyMs})
  --log-quota TPS, --metric-quota TPS    calls per second that AWS takes (${QUOTA.logs}, ${QUOTA.metrics})

  --webs N, --forwarders N, --redis-shards N    processes and shards; as many as are needed unless given
  --embedded                    one process with the embedded spool
  --redis-memory GIB            of each shard (${DEFAULTS.redisMemoryBytes / GIB})
  --flush MS                    FLUSH_INTERVAL_MS (${DEFAULTS.flushIntervalMs})
  --concurrency N               FORWARDER_CONCURRENCY (${DEFAULTS.concurrency})
  --spool GIB                   SPOOL_MAX_BYTES (${DEFAULTS.spoolMaxBytes / GIB}); "auto": what the longest outage needs

  --every SECONDS               between two lines of the table
  --seed N                      the same seed gives the same result (${DEFAULTS.seed})
  --json FILE                   writes the result to a file, too
  --tables                      instead, prints the tables of docs/scaling.md

Example
  cloudwatch-postman simulate --logs 2000 --outage 60:360`

export const OPTIONS = {
  logs: { type: 'string' },
  metrics: { type: 'string' },
  'log-items': { type: 'string' },
  'metric-items': { type: 'string' },
  'log-bytes': { type: 'string' },
  'metric-bytes': { type: 'string' },
  streams: { type: 'string' },
  'log-stream-shards': { type: 'string' },
  namespaces: { type: 'string' },
  series: { type: 'string' },
  values: { type: 'string' },
  seconds: { type: 'string' },
  outage: { type: 'string', multiple: true },
  latency: { type: 'string' },
  'log-quota': { type: 'string' },
  'metric-quota': { type: 'string' },
  webs: { type: 'string' },
  forwarders: { type: 'string' },
  'redis-shards': { type: 'string' },
  embedded: { type: 'boolean' },
  'redis-memory': { type: 'string' },
  flush: { type: 'string' },
  concurrency: { type: 'string' },
  spool: { type: 'string' },
  every: { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'string' },
  tables: { type: 'boolean' }
} as const satisfies ParseArgsConfig['options']

export type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']
type NumberName = Exclude<keyof Values, 'outage' | 'embedded' | 'json' | 'tables'>

/**
 * The scenario that the options describe.
 * @throws UsageError
 */
export function readScenario (values: Values): { scenario: Scenario, every: number } {
  const positive = (name: NumberName, preset: number): number => {
    const text = values[name]
    const value = Number(text ?? preset)
    if (!(value > 0)) throw new UsageError(`--${name} must be a positive number, not ${text}`)
    return value
  }
  const whole = (name: NumberName, preset: number): number => {
    const value = positive(name, preset)
    if (!Number.isInteger(value)) throw new UsageError(`--${name} must be an integer, not ${values[name]}`)
    return value
  }
  const flows = FLOW_KINDS.filter(kind => values[kind] !== undefined).map((kind): Flow => {
    const preset = DEFAULT_FLOWS[kind]
    const prefix = ({ logs: 'log', metrics: 'metric' } as const)[kind]
    return {
      kind,
      requestsPerSecond: positive(kind, 0),
      itemsPerRequest: whole(`${prefix}-items`, preset.itemsPerRequest),
      itemBytes: whole(`${prefix}-bytes`, preset.itemBytes),
      destinations: kind === 'logs'
        ? whole('streams', preset.destinations) * whole('log-stream-shards', 1)
        : whole('namespaces', preset.destinations),
      series: kind === 'logs' ? 0 : whole('series', preset.series),
      distinctValues: kind === 'logs' ? 0 : whole('values', preset.distinctValues)
    }
  })
  if (flows.length === 0) throw new ArgumentError('Give --logs RATE or --metrics RATE')

  const outages = (values.outage ?? []).map(outageOf)
  const lastEnd = Math.max(0, ...outages.map(({ to }) => to))
  const seconds = Math.ceil(positive('seconds', Math.max(DEFAULTS.seconds, AFTER_OUTAGE * lastEnd)))
  const wanted: Scenario = {
    ...DEFAULTS,
    flows,
    seconds,
    outages,
    latencyMs: positive('latency', DEFAULTS.latencyMs),
    quotaTps: {
      logs: positive('log-quota', QUOTA.logs),
      metrics: positive('metric-quota', QUOTA.metrics)
    },
    redisMemoryBytes: positive('redis-memory', DEFAULTS.redisMemoryBytes / GIB) * GIB,
    flushIntervalMs: whole('flush', DEFAULTS.flushIntervalMs),
    concurrency: whole('concurrency', DEFAULTS.concurrency),
    spoolMaxBytes: values.spool === 'auto'
      ? DEFAULTS.spoolMaxBytes
      : positive('spool', DEFAULTS.spoolMaxBytes / GIB) * GIB,
    seed: whole('seed', DEFAULTS.seed)
  }
  if (values.spool === 'auto') wanted.spoolMaxBytes = spoolBytesFor(wanted)
  const needed = plan(wanted)
  const scenario: Scenario = values.embedded === true
    ? { ...wanted, redisShards: 0, webs: 1, forwarders: 1 }
    : {
        ...wanted,
        webs: whole('webs', needed.webs),
        forwarders: whole('forwarders', needed.forwarders),
        redisShards: whole('redis-shards', needed.redisShards)
      }
  return { scenario, every: whole('every', Math.max(1, Math.ceil(seconds / MAX_LINES))) }
}

function outageOf (text: string): Outage {
  const [from, to, more] = text.split(':').map(Number)
  if (!(from! >= 0) || !(to! > from!) || more !== undefined) {
    throw new UsageError(`--outage must be FROM:TO in seconds, FROM before TO, not ${text}`)
  }
  return { from: from!, to: to! }
}
