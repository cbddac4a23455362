import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.js'
import { MESSAGE_BYTES, singlePointBodies } from '../bodies.js'
import type { Build } from '../builds.js'
import { readLedger, resetSandbox, storedItems, watchDrain } from '../sandbox-ledger.js'
import { EVENTS_IN_REQUEST, sendLogEvents } from '../rows/fill.js'
import { BACKENDS, openStore, startGateway, startSandbox, type Backend, type Gateway, type Server } from '../sides.js'
import { atMost } from '../table.js'
import { PairedFigure, sidesInTurn, type Comparison } from './comparison.js'

/** The highest ratio of the new build's calls to the old one's. */
const LIMIT = 1
/** Metrics come at a pace that every build keeps up with, as their calls depend on the time that they take. */
const POINTS_PER_SECOND = 2_000
const METRIC_SECONDS = 10
const METRIC_CONNECTIONS = 64
/** The wait after the last item: an item that is sent twice comes within it. */
const SETTLE_MS = 2_000

const TRAFFICS = [
  {
    label: 'PutMetricData',
    api: 'PutMetricData',
    /** @returns the number of items that were sent */
    async send (bench: Bench, gateway: Gateway): Promise<number> {
      const { requests, accepted } = await bench.load.paced({
        port: gateway.port,
        path: '/metric',
        token: await gateway.token(),
        bodies: singlePointBodies(),
        connections: METRIC_CONNECTIONS
      }, POINTS_PER_SECOND, METRIC_SECONDS)
      if (accepted < requests) throw new Error(`${requests - accepted} of ${requests} requests to /metric were refused`)
      return accepted
    }
  },
  {
    label: 'PutLogEvents',
    api: 'PutLogEvents',
    async send (bench: Bench, gateway: Gateway): Promise<number> {
      const { accepted } = await sendLogEvents(bench, gateway, bench.items / 2)
      return accepted * EVENTS_IN_REQUEST
    }
  }
]
type Traffic = typeof TRAFFICS[number]

interface Counted {
  /** Calls for a million items. */
  calls: number
  /** Items accepted and not stored; below zero when some were stored twice. */
  lost: number
}

async function measure (
  bench: Bench, build: Build, sandbox: Server, backend: Backend, traffic: Traffic
): Promise<Counted> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { build, sandbox, store, forwarder: 'on' })
  const items = await traffic.send(bench, gateway)
  await watchDrain(sandbox, items)
  await sleep(SETTLE_MS)
  const ledger = await readLedger(sandbox)
  await gateway.kill()
  await store.drop()
  await resetSandbox(sandbox)
  return { calls: ledger.calls[traffic.api]! * 1_000_000 / items, lost: items - storedItems(ledger) }
}

export const awsCalls: Comparison = {
  name: 'calls',
  title: 'calls to AWS for a million items',
  async run (bench, builds) {
    const sandbox = await startSandbox(bench.processes)
    const rows = TRAFFICS.flatMap(traffic => BACKENDS.map(backend =>
      ({
        traffic,
        backend,
        figure: new PairedFigure(`${traffic.label}, ${backend}`, 'calls/million', atMost(LIMIT)),
        lost: { old: 0, new: 0 }
      })))
    for (let round = 0; round < bench.rounds; round++) {
      for (const { traffic, backend, figure, lost } of rows) {
        for (const side of sidesInTurn(round)) {
          bench.progress(`calls: round ${round + 1} of ${bench.rounds}: ${traffic.label}, ${backend}, ${side}`)
          const counted = await measure(bench, builds[side], sandbox, backend, traffic)
          figure.add(side, counted.calls)
          lost[side] += Math.abs(counted.lost)
        }
        bench.reportRound(`calls: round ${round + 1} of ${bench.rounds}: ${figure.describeRound()}`)
      }
    }
    await sandbox.kill()
    return [{
      title: 'Calls to AWS for a million items',
      lines: rows.flatMap(({ figure, lost }) => figure.lines(builds).map((line, index) =>
        ({ ...line, note: `${Object.values(lost)[index]!} items lost or stored twice` }))),
      notes: [
        `Data points: ${POINTS_PER_SECOND.toLocaleString('en')} requests a second of one point over 100 series for ` +
          `${METRIC_SECONDS} s. Log events: ${(bench.items / 2).toLocaleString('en')} of ${MESSAGE_BYTES} bytes in ` +
          `one stream, ${EVENTS_IN_REQUEST} in a request, as fast as they were taken.`,
        'Calls that were answered with an error are counted, too.'
      ]
    }]
  }
}
