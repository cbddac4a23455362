import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerSnapshot } from '../sandbox/ledger.js'
import type { Server } from './sides.js'
import { cpuSeconds } from './usage.js'

const POLL_MS = 25
/** A delivery that stands still for this long will not come. */
const STALL_MS = 60_000

export async function readLedger (sandbox: Server): Promise<LedgerSnapshot> {
  const answer = await fetch(`http://127.0.0.1:${sandbox.port}/_sandbox/ledger`)
  return await answer.json() as LedgerSnapshot
}

/** Forgets all that was counted. */
export async function resetSandbox (sandbox: Server): Promise<void> {
  await fetch(`http://127.0.0.1:${sandbox.port}/_sandbox`, { method: 'DELETE' })
}

/** Log events and data points. */
export function storedItems ({ events, dataPoints }: LedgerSnapshot): number {
  return events + dataPoints
}

export interface Drain {
  /** Items that came while it was watched. */
  items: number
  /** From the first items to the last. */
  seconds: number
  /** Of the given processes in that time. */
  cpuSeconds: number
}

/**
 * Watches items come in until there are as many as expected. What starts up before the first of them is not counted.
 * @throws Error when they stop coming
 */
export async function watchDrain (sandbox: Server, expected: number, pids: number[] = []): Promise<Drain> {
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  let first: { items: number, at: number, cpu: number } | null = null
  let last = { items: -1, at: performance.now() }
  for (;;) {
    const items = storedItems(await readLedger(sandbox))
    const at = performance.now()
    if (items > 0) first ??= { items, at, cpu: cpu() }
    if (items >= expected) {
      return { items: items - first!.items, seconds: (at - first!.at) / 1_000, cpuSeconds: cpu() - first!.cpu }
    }
    if (items > last.items) last = { items, at }
    else if (at - last.at > STALL_MS) throw new Error(`${items} of ${expected} items have come, and no more`)
    await sleep(POLL_MS)
  }
}
