import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.js'
import { MESSAGE_BYTES } from '../bodies.js'
import type { Build } from '../builds.js'
import { sendLogEvents } from '../rows/fill.js'
import { FILLED_TARGET_MB, IDLE_TARGET_MB, MB, SETTLE_MS } from '../rows/memory.js'
import { measureStart, START_TARGET_SECONDS } from '../rows/start.js'
import { BACKENDS, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { atMost } from '../table.js'
import { memoryOf } from '../process-usage.js'
import { PairedFigure, sidesInTurn, type Comparison, type Pair } from './comparison.js'

/** Megabytes of a gateway that has started and has taken in so many events. */
async function measureMemory (
  bench: Bench, build: Build, sandbox: Server, backend: Backend, forwarder: 'on' | 'off', items: number
): Promise<number> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { build, sandbox, store, forwarder })
  if (items > 0) await sendLogEvents(bench, gateway, items)
  await sleep(SETTLE_MS)
  const { rss } = memoryOf(gateway.pid)
  await gateway.kill()
  await store.drop()
  return rss / MB
}

/** Measures both builds in turn, round by round. */
async function compare (
  bench: Bench, builds: Pair<Build>, name: string,
  rows: Array<{ figure: PairedFigure, measure (build: Build): Promise<number> }>
): Promise<void> {
  for (let round = 0; round < bench.rounds; round++) {
    for (const { figure, measure } of rows) {
      for (const side of sidesInTurn(round)) {
        bench.progress(`${name}: round ${round + 1} of ${bench.rounds}: ${figure.label}, ${side}`)
        figure.add(side, await measure(builds[side]))
      }
      bench.reportRound(`${name}: round ${round + 1} of ${bench.rounds}: ${figure.describeRound()}`)
    }
  }
}

export const memoryComparison: Comparison = {
  name: 'memory',
  title: 'resident memory idle, and after a million accepted and undelivered items',
  async run (bench, builds) {
    const sandbox = await startSandbox(bench.processes)
    const rows = BACKENDS.flatMap(backend => [
      {
        figure: new PairedFigure(`${backend}: idle`, 'MB', atMost(IDLE_TARGET_MB, 'value')),
        measure: (build: Build) => measureMemory(bench, build, sandbox, backend, 'on', 0)
      },
      {
        figure: new PairedFigure(
          `${backend}: ${bench.items.toLocaleString('en')} events wait`, 'MB', atMost(FILLED_TARGET_MB, 'value')),
        measure: (build: Build) => measureMemory(bench, build, sandbox, backend, 'off', bench.items)
      }
    ])
    await compare(bench, builds, 'memory', rows)
    await sandbox.kill()
    return [{
      title: 'Memory: resident set of the gateway process',
      lines: rows.flatMap(({ figure }) => figure.lines(builds)),
      notes: [
        `Idle as \`npm start\` runs it, ${SETTLE_MS / 1_000} s after it is ready; with events of ${MESSAGE_BYTES} ` +
          `bytes that wait, FORWARDER=off, ${SETTLE_MS / 1_000} s after the last answer.`
      ]
    }]
  }
}

export const startComparison: Comparison = {
  name: 'start',
  title: 'from spawning npm start to the first 200',
  async run (bench, builds) {
    const sandbox = await startSandbox(bench.processes)
    const rows = BACKENDS.map(backend => ({
      figure: new PairedFigure(backend, 's', atMost(START_TARGET_SECONDS, 'value')),
      measure: (build: Build) => measureStart(bench, sandbox, backend, build)
    }))
    await compare(bench, builds, 'start', rows)
    await sandbox.kill()
    return [{
      title: 'Start: from spawning `npm start` to the first 200 of GET /health/ready',
      lines: rows.flatMap(({ figure }) => figure.lines(builds)),
      notes: ['npm itself is in it; asked every 10 ms.']
    }]
  }
}
