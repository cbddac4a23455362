import { CONNECTIONS, type Bench, type Row } from '../bench.js'
import { logBody } from '../bodies.js'
import { resetSandbox, watchDrain } from '../sandbox-ledger.js'
import type { LoadJob } from '../load/index.js'
import { BACKENDS, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { alternate, ratiosOf, spreadOf } from '../stats.js'
import { atMost, type Line } from '../table.js'

const TARGET = 1.5
const SHARE_OF_PEAK = 0.7
const EVENTS = 10
/** Seconds of warm-up at the peak, then at the rate that is measured. */
const WARM_UP_SECONDS = { peak: 4, paced: 1 }
/** A round takes so many times as long as one of other rows: in 4 s a pause of 40 ms is one request in a hundred. */
const TIMES_AS_LONG = 4
const FORWARDERS = ['off', 'on'] as const
type Forwarder = typeof FORWARDERS[number]

interface Measured {
  p99: number
  /** Requests per second that were to be sent. */
  due: number
  /** Requests per second that were answered. */
  rate: number
  generatorCores: number
}

async function withGateway<T> (
  bench: Bench, sandbox: Server, backend: Backend, forwarder: Forwarder, measure: (job: LoadJob) => Promise<T>
): Promise<T> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { sandbox, store, forwarder })
  const job = {
    port: gateway.port,
    path: '/logEvents',
    token: await gateway.token(),
    bodies: [logBody(EVENTS)],
    connections: CONNECTIONS
  }
  const { accepted } = await bench.load.peak(job, WARM_UP_SECONDS.peak)
  // The items of the warm-up would be delivered while the load is measured.
  if (forwarder === 'on') await watchDrain(sandbox, accepted * EVENTS)
  const measured = await measure(job)
  await gateway.kill()
  await store.drop()
  await resetSandbox(sandbox)
  return measured
}

/** The peak rate of a gateway with its forwarder on. */
async function findPeak (bench: Bench, sandbox: Server, backend: Backend): Promise<number> {
  return await withGateway(bench, sandbox, backend, 'on', async job => {
    const { requests, seconds } = await bench.load.peak(job, bench.seconds)
    return requests / seconds
  })
}

async function measure (
  bench: Bench, sandbox: Server, backend: Backend, forwarder: Forwarder, due: number
): Promise<Measured> {
  return await withGateway(bench, sandbox, backend, forwarder, async job => {
    await bench.load.paced(job, due, WARM_UP_SECONDS.paced)
    const { latency, requests, seconds, cpuSeconds } = await bench.load.paced(job, due, TIMES_AS_LONG * bench.seconds)
    return { p99: latency.p99, due, rate: requests / seconds, generatorCores: cpuSeconds / seconds }
  })
}

export const latency: Row = {
  name: 'latency',
  title: 'p99 of intake at 70 % of the peak rate, forwarder on against off',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const lines: Line[] = []
    const cores: number[] = []
    for (const backend of BACKENDS) {
      const measured: Record<Forwarder, Measured[]> = { on: [], off: [] }
      for (let round = 0; round < bench.rounds; round++) {
        bench.progress(`latency: round ${round + 1} of ${bench.rounds}, ${backend}, peak rate`)
        const due = SHARE_OF_PEAK * await findPeak(bench, sandbox, backend)
        for (const forwarder of alternate([...FORWARDERS], round)) {
          bench.progress(`latency: round ${round + 1} of ${bench.rounds}, ${backend}, FORWARDER=${forwarder}`)
          measured[forwarder].push(await measure(bench, sandbox, backend, forwarder, due))
        }
      }
      cores.push(...[...measured.on, ...measured.off].map(({ generatorCores }) => generatorCores))
      const p99 = (forwarder: Forwarder): number[] => measured[forwarder].map(({ p99 }) => p99)
      const medianOf = (forwarder: Forwarder, figure: 'due' | 'rate'): string =>
        Math.round(spreadOf(measured[forwarder].map(each => each[figure])).median).toLocaleString('en')
      const note = (forwarder: Forwarder): string =>
        `${medianOf(forwarder, 'rate')} of ${medianOf(forwarder, 'due')} requests/s`
      lines.push(
        { label: `${backend}, FORWARDER=off`, unit: 'ms', values: p99('off'), note: note('off') },
        {
          label: `${backend}, forwarder on`,
          unit: 'ms',
          values: p99('on'),
          ratios: ratiosOf(p99('on'), p99('off')),
          target: atMost(TARGET),
          note: note('on')
        }
      )
    }
    await sandbox.kill()
    return [{
      title: `Latency: p99 of POST /logEvents with ${EVENTS} events at ${100 * SHARE_OF_PEAK} % of the peak rate`,
      lines,
      notes: [
        `${WARM_UP_SECONDS.peak + WARM_UP_SECONDS.paced} s of warm-up, whose items are delivered before the row is ` +
          'measured.',
        'The peak is that of the forwarder on, under the load generator of the other rows, found anew each round, as ' +
          'the machine may be faster or slower by then; the rate is the same for both sides of a round.',
        `Sent at even intervals by a client of our own, as wrk knows no rate: ${CONNECTIONS} connections, a tick of ` +
          '1 ms. Latency counts from when a request was due, so waiting for a free connection is in it.',
        `That client used ${spreadOf(cores).median.toFixed(2)} of a core (at most ${Math.max(...cores).toFixed(2)}).`
      ]
    }]
  }
}
