import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, Row } from '../bench.js'
import { MESSAGE_BYTES } from '../bodies.js'
import { BACKENDS, openStore, startGateway, startSandbox, type Backend, type Server } from '../sides.js'
import { atMost, type Line } from '../table.js'
import { memoryOf, type Memory } from '../process-usage.js'
import { sendLogEvents } from './fill.js'

export const MB = 1_000_000
export const IDLE_TARGET_MB = 160
export const FILLED_TARGET_MB = 250
export const SETTLE_MS = 3_000
const MAX_ROUNDS = 2

async function measure (bench: Bench, sandbox: Server, backend: Backend): Promise<{ idle: Memory, filled: Memory }> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { sandbox, store, forwarder: 'off' })
  await sleep(SETTLE_MS)
  const idle = memoryOf(gateway.pid)
  await sendLogEvents(bench, gateway, bench.items)
  await sleep(SETTLE_MS)
  const filled = memoryOf(gateway.pid)
  await gateway.kill()
  await store.drop()
  return { idle, filled }
}

function lineOf (label: string, measured: Memory[], targetMb: number): Line {
  const file = measured.at(-1)!.file
  return {
    label,
    unit: 'MB',
    values: measured.map(({ rss }) => rss / MB),
    target: atMost(targetMb, 'value'),
    ...(file !== null && { note: `of which ${Math.round(file / MB)} MB are mapped files` })
  }
}

export const memory: Row = {
  name: 'memory',
  title: 'resident memory idle, and after a million accepted and undelivered items',
  async run (bench) {
    const sandbox = await startSandbox(bench.processes)
    const lines: Line[] = []
    // Memory hardly varies: two rounds tell as much as many.
    const rounds = Math.min(bench.rounds, MAX_ROUNDS)
    for (const backend of BACKENDS) {
      const measured = []
      for (let round = 0; round < rounds; round++) {
        bench.progress(`memory: round ${round + 1} of ${rounds}, ${backend}`)
        measured.push(await measure(bench, sandbox, backend))
      }
      lines.push(
        lineOf(`${backend}: idle`, measured.map(({ idle }) => idle), IDLE_TARGET_MB),
        lineOf(`${backend}: ${bench.items.toLocaleString('en')} events wait`, measured.map(({ filled }) =>
          filled), FILLED_TARGET_MB)
      )
    }
    await sandbox.kill()
    return [{
      title: 'Memory: resident set of the gateway process',
      lines,
      notes: [`FORWARDER=off, events of ${MESSAGE_BYTES} bytes, read ${SETTLE_MS / 1_000} s after the start and after the last answer.`]
    }]
  }
}
