import { MESSAGE_BYTES } from '../bodies.js'
import { resetSandbox } from '../sandbox-ledger.js'
import { drainWorker } from '../rows/delivery.js'
import { BACKENDS, startSandbox } from '../sides.js'
import { atMost } from '../table.js'
import { CPU_LIMIT, PairedFigure, sidesInTurn, type Comparison } from './comparison.js'

export const deliveryCost: Comparison = {
  name: 'delivery',
  title: 'CPU of a worker for each log event of a backlog',
  async run (bench, builds) {
    const sandbox = await startSandbox(bench.processes)
    const figures = BACKENDS.map(backend => ({
      backend,
      figure: new PairedFigure(`worker, ${backend}`, 'µs/event', atMost(CPU_LIMIT))
    }))
    for (let round = 0; round < bench.rounds; round++) {
      for (const { backend, figure } of figures) {
        for (const side of sidesInTurn(round)) {
          bench.progress(`delivery: round ${round + 1} of ${bench.rounds}: ${backend}, ${side}`)
          const { items, cpuSeconds } = await drainWorker(bench, sandbox, backend, builds[side])
          figure.add(side, cpuSeconds * 1_000_000 / items)
          await resetSandbox(sandbox)
        }
        bench.reportRound(`delivery: round ${round + 1} of ${bench.rounds}: ${figure.describeRound()}`)
      }
    }
    await sandbox.kill()
    return [{
      title: `Delivery: CPU of a worker for each event, a backlog of ${bench.items.toLocaleString('en')} events of ` +
        `${MESSAGE_BYTES} bytes in one stream`,
      lines: figures.flatMap(({ figure }) => figure.lines(builds)),
      notes: ['The backlog is taken in by web alone of the same build. User and system time of all threads of the ' +
        'worker, from the first events that arrive to the last. Redis is not in it.']
    }]
  }
}
