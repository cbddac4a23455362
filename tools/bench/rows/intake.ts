import { CONNECTIONS, type Bench, type Row } from '../bench.js'
import { CASES, jobOf, LOG_CASES, METRIC_CASES, type Case } from '../cases.js'
import { readLedger, resetSandbox, storedItems, watchDrain } from '../sandbox-ledger.js'
import { BACKENDS, openStore, startBare, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { alternate, ratiosOf, spreadOf } from '../stats.js'
import { atLeast, type Line, type Table } from '../table.js'
import { cpuSeconds } from '../process-usage.js'

/** Seconds of warm-up for each case: at first a process compiles the functions that it runs most. */
const WARM_UP_SECONDS = 2
const LOGS_TARGET = 0.8
const METRICS_TARGET = 0.75

const WARM_UP_CASES = [LOG_CASES[1]!, METRIC_CASES[0]!]

/** A server, fresh for each round, and the function that closes it. */
interface Opened {
  server: Server
  token?: string
  close (): Promise<void>
}

interface Side {
  label: string
  isGateway: boolean
  /** Whether the target holds for this side, as `npm start` runs it. */
  isJudged: boolean
  delivers: boolean
  open (bench: Bench, sandbox: Server): Promise<Opened>
}

const BARE: Side = {
  label: 'bare Fastify',
  isGateway: false,
  isJudged: false,
  delivers: false,
  async open ({ processes }) {
    const server = await startBare(processes)
    return { server, close: server.kill }
  }
}

function gatewaySide (backend: Backend, forwarder: 'on' | 'off'): Side {
  return {
    label: forwarder === 'on' ? backend : `${backend}, FORWARDER=off`,
    isGateway: true,
    isJudged: forwarder === 'on',
    delivers: forwarder === 'on',
    async open ({ processes }, sandbox) {
      const store = await openStore(processes, backend)
      const server = await startGateway(processes, { sandbox, store, forwarder })
      return {
        server,
        token: await server.token(),
        async close () {
          await server.kill()
          await store.drop()
        }
      }
    }
  }
}

const SIDES = [BARE, ...BACKENDS.flatMap(backend => [gatewaySide(backend, 'on'), gatewaySide(backend, 'off')])]

interface Sample {
  /** Requests per second. */
  rate: number
  /** Requests per CPU-second of the server. */
  cpuRate: number
  /** The share of the accepted items that reached the sandbox meanwhile. */
  deliveredShare: number
  /** Cores that the load generator used. */
  generatorCores: number
  p99: number
}

type Samples = Map<Side, Map<Case, Sample[]>>

async function measure (bench: Bench, sandbox: Server, side: Side, opened: Opened, each: Case): Promise<Sample> {
  const { pid } = opened.server
  const before = { cpu: cpuSeconds(pid), stored: storedItems(await readLedger(sandbox)) }
  const { requests, accepted, seconds, cpuSeconds: generatorCpu, latency } = await bench.load.peak(
    jobOf(opened.server.port, opened.token, each), bench.seconds
  )
  const cpu = cpuSeconds(pid) - before.cpu
  const stored = storedItems(await readLedger(sandbox)) - before.stored
  if (accepted < requests) {
    throw new Error(`${requests - accepted} of ${requests} requests to ${each.path} were refused`)
  }
  const items = requests * each.items
  // The items of this load must not be delivered while the next load is measured.
  if (side.delivers) await watchDrain(sandbox, before.stored + items)
  return {
    rate: requests / seconds,
    cpuRate: requests / cpu,
    deliveredShare: stored / items,
    generatorCores: generatorCpu / seconds,
    p99: latency.p99
  }
}

async function measureSide (bench: Bench, sandbox: Server, side: Side, samples: Samples): Promise<void> {
  const opened = await side.open(bench, sandbox)
  for (const each of WARM_UP_CASES) {
    const { requests } = await bench.load.peak(jobOf(opened.server.port, opened.token, each), WARM_UP_SECONDS)
    if (side.delivers) await watchDrain(sandbox, requests * each.items)
  }
  for (const each of CASES) samples.get(side)!.get(each)!.push(await measure(bench, sandbox, side, opened, each))
  await opened.close()
  await resetSandbox(sandbox)
}

function linesOf (samples: Samples, each: Case, limit: number): Line[] {
  const of = (side: Side, read: (sample: Sample) => number): number[] => samples.get(side)!.get(each)!.map(read)
  return SIDES.map(side => ({
    label: `${each.label}: ${side.label}`,
    unit: 'requests/s',
    values: of(side, ({ rate }) => rate),
    note: [
      `p99 ${spreadOf(of(side, ({ p99 }) => p99)).median.toFixed(1)} ms`,
      `${Math.round(1_000_000 / spreadOf(of(side, ({ cpuRate }) => cpuRate)).median)} µs of CPU`,
      ...(side.delivers
        ? [
        `${Math.round(100 * spreadOf(of(side, ({ deliveredShare }) => deliveredShare)).median)} % delivered meanwhile`
          ]
        : [])
    ].join(', '),
    ...(side.isGateway && {
      ratios: ratiosOf(of(side, ({ rate }) => rate), of(BARE, ({ rate }) => rate)),
      cpuRatios: ratiosOf(of(side, ({ cpuRate }) => cpuRate), of(BARE, ({ cpuRate }) => cpuRate))
    }),
    ...(side.isJudged && { target: atLeast(limit) })
  }))
}

export const intake: Row = {
  name: 'intake',
  title: 'requests per second against a bare Fastify route with the same schemas',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const samples: Samples = new Map(SIDES.map(side => [side, new Map(CASES.map(each => [each, []]))]))
    for (let round = 0; round < bench.rounds; round++) {
      for (const side of alternate(SIDES, round)) {
        bench.progress(`intake: round ${round + 1} of ${bench.rounds}, ${side.label}`)
        await measureSide(bench, sandbox, side, samples)
      }
    }
    await sandbox.kill()
    const cores = spreadOf(
      [...samples.values()].flatMap(cases => [...cases.values()].flat()).map(({ generatorCores }) => generatorCores)
    )
    const notes = [
      `${CONNECTIONS} connections, ${bench.seconds} s a round after ${WARM_UP_CASES.length * WARM_UP_SECONDS} s of ` +
        'warm-up, a fresh process and an empty store each round, what a load leaves behind delivered before the ' +
        'next, RATE_LIMIT_PER_MINUTE=0, Redis with appendfsync everysec.',
      'Bare Fastify validates every item strictly and answers a constant; it has no token, no store and no hooks. ' +
        'FORWARDER=off is web alone.',
      'The ratio per CPU-s counts the CPU of the Node process only; deliveries are in it, Redis is not.',
      `The load generator (${bench.load.generator}) used ${cores.median.toFixed(2)} of a core ` +
        `(${cores.min.toFixed(2)}–${cores.max.toFixed(2)}).`
    ]
    const table = (title: string, cases: Case[], limit: number): Table => ({
      title,
      lines: cases.flatMap(each => linesOf(samples, each, limit)),
      notes
    })
    return [
      table('Intake: POST /logEvents, messages of 100 bytes', LOG_CASES, LOGS_TARGET),
      table('Intake: POST /metric', METRIC_CASES, METRICS_TARGET)
    ]
  }
}
