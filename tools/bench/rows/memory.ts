import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
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
/** The unit of `blocks` of a file, whatever the blocks of the disk. */
const BLOCK_BYTES = 512

interface Measured {
  idle: Memory
  filled: Memory
  /** Bytes on the disk for each event that waits; null of Redis. */
  disk: number | null
}

/** Bytes that the files of a folder take on the disk. */
function diskOf (folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .reduce((sum, name) => sum + statSync(join(folder, name)).blocks * BLOCK_BYTES, 0)
}

async function measure (bench: Bench, sandbox: Server, backend: Backend): Promise<Measured> {
  const store = await openStore(bench.processes, backend)
  const gateway = await startGateway(bench.processes, { sandbox, store, forwarder: 'off' })
  await sleep(SETTLE_MS)
  const idle = memoryOf(gateway.pid)
  await sendLogEvents(bench, gateway, bench.items)
  await sleep(SETTLE_MS)
  const filled = memoryOf(gateway.pid)
  const { DATA_DIR } = store.env
  const disk = DATA_DIR === undefined ? null : diskOf(DATA_DIR) / bench.items
  await gateway.kill()
  await store.drop()
  return { idle, filled, disk }
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
      const disks = measured.flatMap(({ disk }) => disk ?? [])
      if (disks.length > 0) lines.push({ label: `${backend}: disk`, unit: 'bytes/waiting event', values: disks })
    }
    await sandbox.kill()
    return [{
      title: 'Memory: resident set of the gateway process',
      lines,
      notes: [
        `FORWARDER=off, events of ${MESSAGE_BYTES} bytes, read ${SETTLE_MS / 1_000} s after the start and after the ` +
          'last answer. The memory of Redis is in the row capacity.'
      ]
    }]
  }
}
