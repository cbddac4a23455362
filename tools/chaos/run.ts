import { setMaxListeners } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SpoolSync } from '../../lib/spool/spool.js'
import { Fleet } from './fleet.js'
import { gather } from './evidence.js'
import { Explainer } from './explain.js'
import { Injector } from './inject.js'
import { Load } from './load.js'
import type { MemberObserver } from './member.js'
import { Monitor, type MemoryPeak, type Reading } from './monitor.js'
import { measureRecovery, type Recovery } from './recovery.js'
import { SHARD_SETTINGS, ShardMap } from './replicated/shard-map.js'
import { TakeoverWatch, type Takeover } from './replicated/takeovers.js'
import { planFaults, type Backend } from './schedule.js'
import { Timeline, type FaultWindow } from './timeline.js'
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
  /** SPOOL_SYNC of the gateways. */
  sync: SpoolSync
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

/** The observations of a fleet that ran. */
export interface Run {
  fleet: Fleet
  load: Load
  injector: Injector
  monitor: Monitor
  /** Null for a store without replicas. */
  watch: TakeoverWatch | null
  timeline: Timeline
  sync: RunOptions['sync']
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
  /** Replicas that have become masters; null for a store without replicas. */
  takeovers: Takeover[] | null
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

/** Strikes a fleet under load with the faults of a seed, and judges the outcome. */
export async function runChaos (options: ChaosOptions, screen: Screen, signal: AbortSignal): Promise<Result> {
  return await withFleet({
    ...options,
    settings: SETTINGS,
    ownDisk: true,
    ownClocks: true
  }, screen, signal, async run => {
    const { fleet: { disk, clocks }, signal } = run
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

export interface FleetSettings extends RunOptions {
  settings: { SPOOL_MAX_BYTES: string } & Record<string, string>
  ownDisk: boolean
  ownClocks: boolean
}

/** @param work ends with no fault under way and the load finished */
export async function withFleet (
  options: FleetSettings, screen: Screen, interrupt: AbortSignal, work: (run: Run) => Promise<void>
): Promise<Result> {
  // Faults that are under way when one fails have to end, too.
  const ending = new AbortController()
  const signal = AbortSignal.any([interrupt, ending.signal])
  const { backend, sync, ownDisk, ownClocks, rate, seed } = options
  const settings = { ...options.settings, ...SHARD_SETTINGS, SPOOL_SYNC: sync }
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
  const fleet = await Fleet.start({ backend, folder, settings, ownDisk, ownClocks, observer, signal })
  const load = new Load({ webs: fleet.linkedWebs, clientSecret: fleet.clientSecret, rate, seed })
  const monitor = new Monitor(fleet)
  const watch = fleet.store === null ? null : new TakeoverWatch(fleet.store, backend === 'cluster')
  const run: Run = {
    fleet,
    load,
    monitor,
    watch,
    timeline,
    crashes,
    failedStarts,
    folder,
    signal,
    sync,
    maxBytes: Number(settings.SPOOL_MAX_BYTES),
    injector: new Injector(fleet, load, timeline, seed, signal)
  }
  try {
    await run.injector.prepare()
    monitor.start()
    watch?.start()
    load.start()
    await work(run)
    const result = await conclude(run, screen)
    keep = options.keep || result.failed.length > 0
    return { ...result, folder: keep ? folder : null }
  } catch (error) {
    keep = !interrupt.aborted
    if (keep) timeline.note(`the run itself has failed; logs, timeline and spool are in ${folder}`)
    throw error
  } finally {
    ending.abort()
    load.close()
    monitor.close()
    watch?.close()
    await fleet.close(keep ? join(folder, 'data-kept') : undefined)
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
  const { fleet, load, monitor, injector, timeline, watch, crashes, failedStarts } = run
  const drain = await drained(run)
  screen.progress(() => 'comparing the accepted items with the delivered ones')
  timeline.note(drain.ms === null ? 'something still waits; it is given up' : 'nothing waits')
  const evidence = await gather(fleet, load.traffic.items)
  const takeovers = watch?.takeovers() ?? null
  const windows = [...timeline.windows, ...takeoverWindows(run, takeovers ?? [])]
  const [node] = fleet.store?.nodes.values() ?? []
  const explainer = new Explainer(windows, fleet.witness.calls, (start, end) =>
    wasFull(monitor.readings, start, end, run.maxBytes), {
    takeovers: takeovers ?? [],
    shards: fleet.backend === 'cluster' ? await ShardMap.read(node!) : null,
    isConfirmed: run.sync === 'always'
  })
  const unexplainedStarts = failedStarts.filter(({ name, startedAt, endedAt }) =>
    !explainer.explainsStart(name, startedAt, endedAt))
  const verdict = judge({
    requests: load.requests,
    items: load.traffic.items,
    calls: fleet.witness.calls,
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
    recovery: Object.fromEntries(measureRecovery(timeline.windows, fleet.witness.calls, monitor.readings)),
    memory: Object.fromEntries(monitor.memory),
    counts: load.counts,
    takeovers,
    drainMs: drain.ms,
    disk: fleet.disk === null ? 'none' : 'tmpfs',
    clocks: fleet.clocks === null ? 'none' : 'own'
  }
}

/** In a takeover the store forgets what its new master had not received: leases, and how deliveries ended. */
function takeoverWindows ({ fleet, timeline }: Run, takeovers: readonly Takeover[]): FaultWindow[] {
  return takeovers.map(({ node, receivedUntil, endedAt }, i) => ({
    id: timeline.windows.length + i,
    kind: 'redis-master takeover',
    place: 'redis-master',
    mode: 'takeover',
    target: node,
    detail: '',
    effects: { storeOf: fleet.gateways.map(({ name }) => name) },
    startedAt: receivedUntil,
    endedAt
  }))
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
