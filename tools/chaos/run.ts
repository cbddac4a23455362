import { setMaxListeners } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster } from './cluster.js'
import { gather } from './evidence.js'
import { Explainer } from './explain.js'
import { Injector } from './inject.js'
import { Load } from './load.js'
import type { MemberObserver } from './member.js'
import { Monitor, type MemoryPeak, type Reading } from './monitor.js'
import { measureRecovery, type Recovery } from './recovery.js'
import { planFaults, type Backend } from './schedule.js'
import { Timeline } from './timeline.js'
import { failed, judge, type Verdict } from './verdict.js'

/** With these settings calls, leases and shutdowns time out sooner, so that a short run sees all of them. */
const SETTINGS = {
  LOG_LEVEL: 'info',
  ACCESS_TOKEN_TTL_SECONDS: '10',
  AWS_REQUEST_TIMEOUT_MS: '3000',
  FLUSH_INTERVAL_MS: '500',
  LEASE_MS: '5000',
  SHUTDOWN_GRACE_MS: '3000',
  SPOOL_MAX_BYTES: String(24 * 1_048_576)
}
/** Longer than the longest wait of a gateway that was denied, and the deliveries after it. */
const DRAIN_TIMEOUT_MS = 150_000
const POLL_MS = 200
/** The share of SPOOL_MAX_BYTES that counts as full: a reading does not show items on their way into the spool. */
const FULL_SHARE = 0.6
const WARM_UP_MS = 1_000

export interface RunOptions {
  backend: Backend
  /** Keeps logs and stores of a run that has not failed, too. */
  keep: boolean
  seed: number
  /** Items per second. */
  rate: number
  /** The mean number of faults a minute; absent: FAULTS_PER_MINUTE of the schedule. */
  faultsPerMinute?: number
}

export interface ChaosOptions extends RunOptions {
  seconds: number
}

/** The observations of a cluster that ran. */
export interface Run {
  cluster: Cluster
  load: Load
  injector: Injector
  monitor: Monitor
  timeline: Timeline
  /** SPOOL_MAX_BYTES of the gateways. */
  maxBytes: number
  crashes: string[]
  failedStarts: Array<{ name: string, error: Error, startedAt: number, endedAt: number }>
  /** The folder of logs and stores. */
  folder: string
  signal: AbortSignal
}

export interface Result {
  verdict: Verdict
  /** Names of the conditions that fail the run. */
  failed: string[]
  faults: Record<string, number>
  recovery: Record<string, Partial<Recovery>>
  memory: Record<string, MemoryPeak>
  counts: Load['counts']
  /** Milliseconds from the end of the load until no item waited; null when items still wait. */
  drainMs: number | null
  /** How the disk of the embedded spool was filled. */
  disk: 'tmpfs' | 'none'
  /** Whether the clocks of the processes could be set. */
  clocks: 'own' | 'none'
  /** Null when nothing was kept. */
  folder: string | null
}

export interface Screen {
  note (line: string): void
  progress (text: () => string): void
}

/** Strikes a cluster under load with the faults of a seed, and judges the outcome. */
export async function runChaos (options: ChaosOptions, screen: Screen, signal: AbortSignal): Promise<Result> {
  return await withCluster({ ...options, settings: SETTINGS, ownDisk: true, ownClocks: true }, screen, signal, async run => {
    const { disk, clocks } = run.cluster
    if (clocks === null) run.timeline.note('there is no C compiler (cc), or no Linux: no clock is set')
    const faults = planFaults({ ...options, canFillDisk: disk !== null, canStepClocks: clocks !== null })
    const endsAt = Date.now() + WARM_UP_MS + options.seconds * 1_000
    screen.progress(() => describeProgress(run, `${Math.max(0, Math.round((endsAt - Date.now()) / 1_000))} s to go`))
    await pause(WARM_UP_MS, signal)
    const strikes = faults.map(async fault => {
      await pause(fault.atMs, signal)
      await run.injector.strike(fault)
    })
    await Promise.all([...strikes, pause(options.seconds * 1_000, signal)])
    run.timeline.note('no more faults; every gateway is restarted once more, so that none knows more than the store')
    screen.progress(() => describeProgress(run, 'waiting for the last deliveries'))
    await Promise.all([run.load.finish(), run.injector.restartGateways()])
  })
}

export interface ClusterSettings extends RunOptions {
  settings: { SPOOL_MAX_BYTES: string } & Record<string, string>
  ownDisk: boolean
  ownClocks: boolean
}

/** @param work ends with no fault under way and the load finished */
export async function withCluster (
  options: ClusterSettings, screen: Screen, signal: AbortSignal, work: (run: Run) => Promise<void>
): Promise<Result> {
  const { backend, settings, ownDisk, ownClocks, rate, seed } = options
  setMaxListeners(0, signal)
  const folder = await mkdtemp(join(tmpdir(), 'cloudwatch-postman-chaos-'))
  let keep = false
  const removeFolder = (): void => { if (!keep) rmSync(folder, { recursive: true, force: true }) }
  process.once('exit', removeFolder)
  const timeline = new Timeline(line => screen.note(line))
  const crashes: Run['crashes'] = []
  const failedStarts: Run['failedStarts'] = []
  const observer: MemberObserver = {
    onCrash (name, error) {
      timeline.note(`${name} has ended by itself`)
      crashes.push(`${name} has ended by itself at ${timeline.seconds(Date.now())} s: ${describeError(error)}`)
    },
    onFailedStart (name, error, startedAt) {
      timeline.note(`${name} could not start`)
      failedStarts.push({ name, error, startedAt, endedAt: Date.now() })
    },
    onStubborn: name => { crashes.push(`${name} did not end after SIGTERM, at ${timeline.seconds(Date.now())} s`) }
  }
  screen.progress(() => 'starting')
  const cluster = await Cluster.start({ backend, folder, settings, ownDisk, ownClocks, observer })
  const load = new Load({ webs: cluster.linkedWebs, clientSecret: cluster.clientSecret, rate, seed })
  const monitor = new Monitor(cluster)
  const run: Run = {
    cluster,
    load,
    monitor,
    timeline,
    crashes,
    failedStarts,
    folder,
    signal,
    maxBytes: Number(settings.SPOOL_MAX_BYTES),
    injector: new Injector(cluster, load, timeline, seed, signal)
  }
  try {
    await run.injector.prepare()
    monitor.start()
    load.start()
    await work(run)
    const result = await conclude(run, screen)
    keep = options.keep || result.failed.length > 0
    return { ...result, folder: keep ? folder : null }
  } catch (error) {
    keep = !signal.aborted
    if (keep) timeline.note(`the run itself has failed; logs, timeline and spool are in ${folder}`)
    throw error
  } finally {
    load.close()
    monitor.close()
    await cluster.close(keep ? join(folder, 'data-kept') : undefined)
    if (keep) await writeFile(join(folder, 'timeline.log'), timeline.lines().join('\n') + '\n')
    removeFolder()
    process.off('exit', removeFolder)
  }
}

/** @throws AbortError */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal })
}

export function describeProgress ({ load, timeline, monitor }: Run, text: string): string {
  const under = timeline.windows.filter(({ endedAt }) => endedAt === Infinity).map(({ kind }) => kind)
  const { last } = monitor
  return [
    text,
    `${load.accepted.toLocaleString('en-US')} items accepted`,
    ...(last === null ? [] : [`${last.items.toLocaleString('en-US')} wait`]),
    `${timeline.windows.length} faults${under.length === 0 ? '' : `, now ${under.join(', ')}`}`
  ].join(' · ')
}

async function conclude (run: Run, screen: Screen): Promise<Omit<Result, 'folder'>> {
  const { cluster, load, monitor, injector, timeline, crashes, failedStarts } = run
  const drain = await drained(run)
  screen.progress(() => 'comparing the accepted items with the delivered ones')
  timeline.note(drain.ms === null ? 'something still waits; it is given up' : 'nothing waits')
  const evidence = await gather(cluster, load.traffic.items)
  const explainer = new Explainer(timeline.windows, cluster.witness.calls, (start, end) =>
    wasFull(monitor.readings, start, end, run.maxBytes))
  const unexplainedStarts = failedStarts.filter(({ name, startedAt, endedAt }) =>
    !explainer.explainsStart(name, startedAt, endedAt))
  const verdict = judge({
    requests: load.requests,
    items: load.traffic.items,
    calls: cluster.witness.calls,
    evidence,
    ledger: drain.reading?.ledger ?? null,
    explainer,
    surprises: load.surprises,
    crashes: [
      ...crashes, ...injector.failures,
      ...unexplainedStarts.map(({ name, error, startedAt }) =>
        `${name} did not start at ${timeline.seconds(startedAt)} s: ${describeError(error)}`)
    ],
    seconds: at => timeline.seconds(at)
  })
  const faults: Record<string, number> = {}
  for (const { kind } of timeline.windows) faults[kind] = (faults[kind] ?? 0) + 1
  return {
    verdict,
    failed: failed(verdict),
    faults,
    recovery: Object.fromEntries(measureRecovery(timeline.windows, cluster.witness.calls, monitor.readings)),
    memory: Object.fromEntries(monitor.memory),
    counts: load.counts,
    drainMs: drain.ms,
    disk: cluster.disk === null ? 'none' : 'tmpfs',
    clocks: cluster.clocks === null ? 'none' : 'own'
  }
}

/** Waits for two empty readings in a row, as gauges may be of the moment before. */
async function drained ({ monitor, signal }: Run): Promise<{ ms: number | null, reading: Reading | null }> {
  const startedAt = Date.now()
  let reading: Reading | null = null
  for (let empty = 0; Date.now() - startedAt < DRAIN_TIMEOUT_MS;) {
    reading = await monitor.read() ?? reading
    empty = reading?.items === 0 && reading.ledger.inSpool === 0 ? empty + 1 : 0
    if (empty === 2) return { ms: Date.now() - startedAt, reading }
    await pause(POLL_MS, signal)
  }
  return { ms: null, reading }
}

/** Whether the spool was full in this time; between two readings it counts as full when the first says so. */
function wasFull (readings: readonly Reading[], start: number, end: number, maxBytes: number): boolean {
  const before = readings.findLast(({ at }) => at < start)
  return [...(before === undefined ? [] : [before]), ...readings.filter(({ at }) => at >= start && at <= end)]
    .some(({ bytes }) => bytes >= FULL_SHARE * maxBytes)
}

function describeError (error: Error & { output?: string }): string {
  return [error.message, error.output?.split('\n').slice(-8).join('\n')].filter(Boolean).join('\n')
}
