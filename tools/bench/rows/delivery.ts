import { join } from 'node:path'
import { ConfigSchema } from '../../../schemas/config.js'
import type { Bench, Row } from '../bench.js'
import { MESSAGE_BYTES } from '../bodies.js'
import { THIS_BUILD } from '../builds.js'
import { resetSandbox, watchDrain, type Drain } from '../sandbox-ledger.js'
import { BUILD } from '../../shared/root.js'
import { awsEnv, BACKENDS, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { alternate, ratiosOf, spreadOf } from '../stats.js'
import { atLeast, type Line } from '../table.js'
import { sendLogEvents } from './fill.js'

const TARGET = 0.7
const CONCURRENCY: number = ConfigSchema.properties.FORWARDER_CONCURRENCY.default

const LOOP = 'SDK loop'
type Side = Backend | typeof LOOP

/** Has a web process of the build take in a backlog, and a worker of it deliver the backlog. */
export async function drainWorker (
  bench: Bench, sandbox: Server, backend: Backend, build = THIS_BUILD
): Promise<Drain> {
  const store = await openStore(bench.processes, backend)
  const web = await startGateway(bench.processes, { build, sandbox, store, forwarder: 'off' })
  await sendLogEvents(bench, web, bench.items)
  await web.stop()
  const worker = await startGateway(bench.processes, { build, sandbox, store, forwarder: 'only', ready: false })
  const drain = await watchDrain(sandbox, bench.items, [worker.pid])
  await worker.kill()
  await store.drop()
  return drain
}

async function drainLoop (bench: Bench, sandbox: Server): Promise<Drain> {
  const loop = await bench.processes.start({
    name: 'the SDK loop',
    command: process.execPath,
    args: [join(BUILD, 'tools/bench/children/sdk-loop.js'), String(bench.items), String(CONCURRENCY)],
    env: awsEnv(sandbox)
  })
  const drain = await watchDrain(sandbox, bench.items, [loop.pid])
  await loop.kill()
  return drain
}

function linesOf (drains: Map<Side, Drain[]>): Line[] {
  const rates = (side: Side): number[] => drains.get(side)!.map(({ items, seconds }) => items / seconds)
  const cpuRates = (side: Side): number[] => drains.get(side)!.map(({ items, cpuSeconds }) => items / cpuSeconds)
  return [...drains.keys()].map(side => ({
    label: side === LOOP ? LOOP : `worker, ${side}`,
    unit: 'events/s',
    values: rates(side),
    note: `${Math.round(spreadOf(cpuRates(side)).median).toLocaleString('en')} events per CPU-second`,
    ...(side !== LOOP && {
      ratios: ratiosOf(rates(side), rates(LOOP)),
      cpuRatios: ratiosOf(cpuRates(side), cpuRates(LOOP)),
      target: atLeast(TARGET, 'cpuRatio')
    })
  }))
}

export const delivery: Row = {
  name: 'delivery',
  title: 'a backlog delivered by a worker alone, against a loop over PutLogEvents',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const sides: Side[] = [LOOP, ...BACKENDS]
    const drains = new Map<Side, Drain[]>(sides.map(side => [side, []]))
    for (let round = 0; round < bench.rounds; round++) {
      for (const side of alternate(sides, round)) {
        bench.progress(`delivery: round ${round + 1} of ${bench.rounds}, ${side}`)
        drains.get(side)!.push(
          side === LOOP ? await drainLoop(bench, sandbox) : await drainWorker(bench, sandbox, side)
        )
        await resetSandbox(sandbox)
      }
    }
    await sandbox.kill()
    return [{
      title: `Delivery: a backlog of ${bench.items.toLocaleString('en')} events of ${MESSAGE_BYTES} bytes in one ` +
        'stream',
      lines: linesOf(drains),
      notes: [
        'The worker is what `npm run worker` runs. The loop is the SDK as it comes, sending ready-made full ' +
          `batches, ${CONCURRENCY} at a time as the worker does; both in a process of their own, the sandbox in a ` +
          'third.',
        'Timed from the first events that arrive to the last; the CPU is that of the worker, or of the loop, in that ' +
          'time. The CPU of Redis is not in it.'
      ]
    }]
  }
}
