import { setTimeout as sleep } from 'node:timers/promises'
import type { Reading } from './monitor.js'
import { describeProgress, pause, withFleet, type Result, type Run, type RunOptions, type Screen } from './run.js'

/** The settings of a gateway that differ from its defaults. */
const SETTINGS = { LOG_LEVEL: 'info', SPOOL_MAX_BYTES: String(1_024 * 1_048_576) }
const WARM_UP_MS = 5_000
const POLL_MS = 250
/** Seconds of load that always wait, as items linger. */
const STEADY_SECONDS = 3
const DRAIN_TIMEOUT_MS = 600_000

export interface OutageOptions extends RunOptions {
  outageSeconds: number
}

/** How the gateway got over an outage, while new items came as before. */
export interface OutageResult extends Result {
  outage: {
    seconds: number
    /** Items that waited when CloudWatch was back. */
    backlog: number
    /** Seconds from the end of the outage to the first call that CloudWatch took. */
    firstDeliverySeconds: number
    /** Seconds from the end of the outage until no more items waited than before it. */
    drainSeconds: number
    /** Items delivered per second of the drain, the wait for the first call included. */
    drainRate: number
    intakeRate: number
  }
}

/** CloudWatch is away, for one half of the time refusing connections and for the other answering 500, then back. */
export async function runOutage (options: OutageOptions, screen: Screen, signal: AbortSignal): Promise<OutageResult> {
  let outage: OutageResult['outage'] | null = null
  const result = await withFleet({
    ...options,
    settings: SETTINGS,
    ownDisk: false,
    ownClocks: false
  }, screen, signal, async run => {
    screen.progress(() => describeProgress(run, 'before the outage'))
    await pause(WARM_UP_MS, signal)
    const halfMs = options.outageSeconds * 500
    const backAt = Date.now() + 2 * halfMs
    screen.progress(() =>
      describeProgress(run, `CloudWatch is back in ${Math.max(0, Math.round((backAt - Date.now()) / 1_000))} s`))
    await run.injector.outage('refusing', halfMs)
    await run.injector.outage('failing', halfMs)
    screen.progress(() => describeProgress(run, 'CloudWatch is back'))
    outage = await watchDrain(run, options)
    run.timeline.note('the backlog is delivered; the load ends')
    await run.load.finish()
  })
  return { ...result, outage: outage! }
}

async function watchDrain (run: Run, { outageSeconds, rate }: OutageOptions): Promise<OutageResult['outage']> {
  const { fleet, signal } = run
  const first = await readSpool(run)
  let last = first
  while (last.items > rate * STEADY_SECONDS) {
    if (last.at - first.at > DRAIN_TIMEOUT_MS) {
      run.crashes.push(`${last.items} items still wait ${DRAIN_TIMEOUT_MS / 1_000} s after the outage`)
      break
    }
    await pause(POLL_MS, signal)
    last = await readSpool(run)
  }
  const firstCall = fleet.witness.calls.find(({ outcome, endedAt }) => outcome === 'taken' && endedAt >= first.at)
  const seconds = Math.max(POLL_MS, last.at - first.at) / 1_000
  return {
    seconds: outageSeconds,
    backlog: first.items,
    firstDeliverySeconds: ((firstCall?.endedAt ?? last.at) - first.at) / 1_000,
    drainSeconds: seconds,
    drainRate: (last.ledger.delivered - first.ledger.delivered) / seconds,
    intakeRate: (last.ledger.accepted - first.ledger.accepted) / seconds
  }
}

async function readSpool ({ monitor, signal }: Run): Promise<Reading> {
  for (;;) {
    const reading = await monitor.read()
    if (reading !== null) return reading
    await sleep(POLL_MS, undefined, { signal })
  }
}
