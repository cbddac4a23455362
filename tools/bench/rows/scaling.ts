import { availableParallelism } from 'node:os'
import type { Bench, Row } from '../bench.js'
import { logBody } from '../bodies.js'
import { THIS_BUILD } from '../builds.js'
import { formatNumber } from '../format.js'
import { resetSandbox, watchDrain } from '../sandbox-ledger.js'
import { openCluster, openStore, startGateway, startSandbox, type Gateway, type Server } from '../sides.js'
import { alternate, ratiosOf, spreadOf } from '../stats.js'
import { atLeast, type Line, type Table } from '../table.js'
import { cpuSeconds } from '../process-usage.js'
import { idleCommands } from './idle-commands.js'

/** Two pairs of processes against one. */
const PROCESSES_TARGET = 1.7
/** With fewer cores the processes of two pairs wait for each other, and CPU is counted in place of time. */
const ENOUGH_CORES = 6
const CLUSTER_TARGET = 0.9
const MASTERS = 3
const LOG_STREAM_SHARDS = 4

const EVENTS = 10
const STREAMS = 16
const REQUESTS = `${EVENTS} in a request, ${STREAMS} streams`
const CONNECTIONS_OF_EACH = 16
/** As many requests wait at a node that is busy all the time, so that many appends share a call. */
const BUSY_CONNECTIONS = 256
/** The share of the bench's items with which each pair of processes warms up, so that each compiles its code before. */
const WARM_UP_SHARE = 0.4
const MEASURED_SHARE = 0.1

export interface Arrangement {
  masters: number
  /** Web processes, and as many forwarders. */
  pairs: number
  /** The log streams that requests name. */
  streams: number
  /** Of each web process; absent: CONNECTIONS_OF_EACH. */
  connections?: number
  env?: Record<string, string>
}

const ARRANGEMENTS = {
  one: { masters: 1, pairs: 1, streams: STREAMS },
  two: { masters: 1, pairs: 2, streams: STREAMS },
  cluster: { masters: MASTERS, pairs: 1, streams: STREAMS },
  whole: { masters: MASTERS, pairs: 1, streams: 1, connections: BUSY_CONNECTIONS },
  split: {
    masters: MASTERS,
    pairs: 1,
    streams: 1,
    connections: BUSY_CONNECTIONS,
    env: { LOG_STREAM_SHARDS: String(LOG_STREAM_SHARDS) }
  }
} satisfies Record<string, Arrangement>
type Name = keyof typeof ARRANGEMENTS
const NAMES = Object.keys(ARRANGEMENTS) as Name[]

export interface Measured {
  /** Items accepted and delivered per second of the clock. */
  rate: number
  /** Items per CPU-second of the gateway's processes. */
  gatewayRate: number
  /** Microseconds of CPU of all nodes of Redis for an item. */
  redisMicros: number
  /** Items per CPU-second of the node of Redis that does most. */
  busiestNodeRate: number
}

/** Sends items to all of these web processes, and waits until they are delivered. */
async function sendAndDeliver (
  bench: Bench, sandbox: Server, webs: Gateway[],
  { streams, connections = CONNECTIONS_OF_EACH }: Arrangement, items: number
): Promise<void> {
  const bodies = Array.from({ length: streams }, (_body, stream) => logBody(EVENTS, `stream-${stream}`))
  const tokens = await Promise.all(webs.map(web => web.token()))
  await Promise.all(webs.map(({ port }, web) =>
    bench.load.all({
      port,
      path: '/logEvents',
      token: tokens[web]!,
      bodies,
      connections
    }, items / EVENTS / webs.length)))
  await watchDrain(sandbox, items)
  await resetSandbox(sandbox)
}

export async function measureArrangement (
  bench: Bench, sandbox: Server, arrangement: Arrangement, build = THIS_BUILD
): Promise<Measured> {
  const { masters, pairs, env = {} } = arrangement
  const store = masters === 1 ? await openStore(bench.processes, 'Redis') : await openCluster(masters)
  const start = async (forwarder: 'off' | 'only'): Promise<Gateway[]> => await Promise.all(Array.from(
    { length: pairs }, () => startGateway(bench.processes, { build, sandbox, store, forwarder, env })))
  const webs = await start('off')
  const gateways = [...webs, ...await start('only')]
  const now = () => ({
    at: performance.now() / 1_000,
    gateway: gateways.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    nodes: store.nodes.map(({ pid }) => cpuSeconds(pid()))
  })

  await sendAndDeliver(bench, sandbox, webs, arrangement, pairs * bench.items * WARM_UP_SHARE)
  const items = pairs * bench.items * MEASURED_SHARE
  const before = now()
  await sendAndDeliver(bench, sandbox, webs, arrangement, items)
  const after = now()
  for (const { kill } of gateways) await kill()
  await store.drop()
  const nodes = after.nodes.map((seconds, node) => seconds - before.nodes[node]!)
  return {
    rate: items / (after.at - before.at),
    gatewayRate: items / (after.gateway - before.gateway),
    redisMicros: 1e6 * nodes.reduce((sum, seconds) => sum + seconds, 0) / items,
    busiestNodeRate: items / Math.max(...nodes)
  }
}

type Results = Record<Name, Measured[]>

function valuesOf (results: Results, name: Name, figure: keyof Measured): number[] {
  return results[name].map(measured => measured[figure])
}

/** A line, and the same figure of another arrangement against it. */
function pairOf (
  results: Results, unit: string, figure: keyof Measured,
  [reference, first]: [Name, string], [compared, second]: [Name, string], target?: Line['target']
): Line[] {
  const values = valuesOf(results, compared, figure)
  const ratios = ratiosOf(values, valuesOf(results, reference, figure))
  return [
    { label: first, unit, values: valuesOf(results, reference, figure) },
    { label: second, unit, values, ratios, ...(target !== undefined && { target }) }
  ]
}

function processes (results: Results): Table {
  const hasCores = availableParallelism() >= ENOUGH_CORES
  /** Items per second that the processes could take in and deliver if each pair of them had one core. */
  const capacity = (name: 'one' | 'two'): number[] =>
    results[name].map(({ rate, gatewayRate }) => hasCores ? rate : ARRANGEMENTS[name].pairs * gatewayRate)
  const noteOf = (name: Name): string =>
    `${formatNumber(Math.round(spreadOf(valuesOf(results, name, 'rate')).median))}/s by the clock of this machine`
  return {
    title: `Scaling, processes: log events taken in and delivered, ${REQUESTS}, one Redis`,
    lines: [
      { label: '1 web + 1 forwarder', unit: 'events/s', values: capacity('one'), note: noteOf('one') },
      {
        label: '2 web + 2 forwarders',
        unit: 'events/s',
        values: capacity('two'),
        ratios: ratiosOf(capacity('two'), capacity('one')),
        target: atLeast(PROCESSES_TARGET),
        note: noteOf('two')
      }
    ],
    notes: [
      hasCores
        ? 'By the clock. Twice would be perfect.'
        : `As this machine has fewer than ${ENOUGH_CORES} cores: events per CPU-second of the web and forwarder ` +
          'processes, times the pairs of them, so that the cores are not what is measured. Twice would be perfect.',
      `Each pair takes ${CONNECTIONS_OF_EACH} connections, and as many events whether there is another or not, after ` +
        `a warm-up with ${WARM_UP_SHARE / MEASURED_SHARE} times as many. Redis is shared and not in it.`
    ]
  }
}

function nodes (results: Results): Table {
  const [one, cluster]: Array<[Name, string]> = [['one', 'one node'], ['cluster', `Cluster of ${MASTERS}`]]
  const lines = (label: string, unit: string, figure: keyof Measured, target?: Line['target']): Line[] =>
    pairOf(results, unit, figure, [one![0], `${label}, ${one![1]}`], [cluster![0], `${label}, ${cluster![1]}`], target)
  return {
    title: `Scaling, nodes: log events taken in and delivered, ${REQUESTS}, one web and one forwarder`,
    lines: [
      ...lines('gateway', 'events/CPU-s', 'gatewayRate', atLeast(CLUSTER_TARGET)),
      ...lines('all of Redis', 'µs/event', 'redisMicros'),
      ...lines('busiest node of Redis', 'events/CPU-s', 'busiestNodeRate')
    ],
    notes: [
      'User and system time of all threads. Redis keeps an append-only file, synced every second; no replicas.',
      'The events per CPU-second of the busiest node are the most that Redis takes in and gives out in a second, ' +
        'when each node has a core to itself.'
    ]
  }
}

function destination (results: Results): Table {
  return {
    title: `Scaling, one log stream: the most that a Cluster of ${MASTERS} takes in and gives out`,
    lines: pairOf(
      results, 'events/CPU-s', 'busiestNodeRate', ['whole', 'one log stream'],
      ['split', `LOG_STREAM_SHARDS=${LOG_STREAM_SHARDS}`]),
    notes: [
      `Events per CPU-second of the busiest node, ${EVENTS} events in a request, ${BUSY_CONNECTIONS} connections; a ` +
        'node uses a core at most. Of the four shards one master has two, so that twice would be perfect.'
    ]
  }
}

export const scaling: Row = {
  name: 'scaling',
  title: 'two pairs of processes against one, a Cluster against one node, one log stream, commands while idle',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const results = Object.fromEntries(NAMES.map(name => [name, [] as Measured[]])) as Results
    for (let round = 0; round < bench.rounds; round++) {
      for (const name of alternate(NAMES, round)) {
        bench.progress(`scaling: round ${round + 1} of ${bench.rounds}, ${name}`)
        results[name].push(await measureArrangement(bench, sandbox, ARRANGEMENTS[name]))
      }
    }
    const idle = await idleCommands(bench, sandbox)
    await sandbox.kill()
    return [processes(results), nodes(results), destination(results), idle]
  }
}
