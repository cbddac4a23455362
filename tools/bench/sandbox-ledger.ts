import { setTimeout as sleep } from 'node:timers/promises'
import type { LedgerSnapshot } from '../sandbox/ledger.js'
import type { Server } from './sides.js'
import { cpuSeconds } from './process-usage.js'

const POLL_MS = 25
/** When no item has come for this long, none will. */
const STALL_MS = 60_000

export async function readLedger (sandbox: Server): Promise<LedgerSnapshot> {
  const answer = await fetch(`http://127.0.0.1:${sandbox.port}/_sandbox/ledger`)
  return await answer.json() as LedgerSnapshot
}

/** Clears the ledger and everything that the sandbox has stored. */
export async function resetSandbox (sandbox: Server): Promise<void> {
  await fetch(`http://127.0.0.1:${sandbox.port}/_sandbox`, { method: 'DELETE' })
}

/** The stored log events and data points together. */
export function storedItems ({ events, dataPoints }: LedgerSnapshot): number {
  return events + dataPoints
}

export interface Drain {
  /** Items that came while it was watched. */
  items: number
  /** Seconds from the first items to the last. */
  seconds: number
  /** Seconds of CPU that the given processes used in that time. */
  cpuSeconds: number
}

/**
 * Watches items come in until there are as many as expected. Time and CPU before the first of them do not count.
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
