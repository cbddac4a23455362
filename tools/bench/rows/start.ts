import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, Row } from '../bench.js'
import { findPort } from '../../shared/ports.js'
import { THIS_BUILD } from '../builds.js'
import { BACKENDS, gatewayEnv, openStore, readyUrl, startSandbox, type Backend, type Server } from '../sides.js'
import { atMost, type Line } from '../table.js'

export const START_TARGET_SECONDS = 2
const SETTLE_MS = 200

/** Seconds from spawning `npm start` to its first 200. */
export async function measureStart (
  bench: Bench, sandbox: Server, backend: Backend, build = THIS_BUILD
): Promise<number> {
  const store = await openStore(bench.processes, backend)
  const port = await findPort()
  const startedAt = performance.now()
  const gateway = await bench.processes.start({
    name: 'npm start',
    command: 'npm',
    args: ['start'],
    cwd: build.root,
    env: gatewayEnv(port, { sandbox, store, forwarder: 'on' }),
    readyUrl: readyUrl(port)
  })
  const seconds = (performance.now() - startedAt) / 1_000
  await gateway.kill()
  await store.drop()
  await sleep(SETTLE_MS)
  return seconds
}

export const start: Row = {
  name: 'start',
  title: 'from spawning npm start to the first 200',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const lines: Line[] = []
    for (const backend of BACKENDS) {
      const values: number[] = []
      for (let round = 0; round < bench.rounds; round++) {
        bench.progress(`start: round ${round + 1} of ${bench.rounds}, ${backend}`)
        values.push(await measureStart(bench, sandbox, backend))
      }
      lines.push({ label: backend, unit: 's', values, target: atMost(START_TARGET_SECONDS, 'value') })
    }
    await sandbox.kill()
    return [{
      title: 'Start: from spawning `npm start` to the first 200 of GET /health/ready',
      lines,
      notes: ['npm itself is in it; asked every 10 ms.']
    }]
  }
}
