import type { FaultRule } from '../sandbox/fault-plan.js'
import { Random } from '../shared/random.js'

/** One process with its disk; one Redis; a Redis Cluster; a Redis with Sentinels. */
export const BACKENDS = ['embedded', 'redis', 'cluster', 'sentinel'] as const
export type Backend = typeof BACKENDS[number]

/** Places in a Redis whose masters have replicas: a node, the network before one, a Sentinel, or all of it. */
export const REPLICATED_PLACES = [
  'redis-master', 'redis-replica', 'redis-network', 'redis-sentinel', 'redis-nodes'
] as const
export type ReplicatedPlace = typeof REPLICATED_PLACES[number]

/** Where a fault can strike: a process, the link between two, CloudWatch itself, or the disk. */
export type Place =
  | 'web' | 'worker' | 'client-web' | 'worker-cloudwatch' | 'cloudwatch' | 'disk'
  | 'redis' | 'web-redis' | 'worker-redis'
  | ReplicatedPlace

/** The kind of a fault. */
export type FaultMode =
  | 'kill' | 'term' | 'pause' | 'term-unfinished'
  | 'cut' | 'hold' | 'slow'
  | 'throttle' | 'error' | 'hang' | 'reset' | 'delay' | 'garbage' | 'denied' | 'lost-answer' | 'late-answer'
  | 'disk-full' | 'spool-full' | 'memory-full'
  | 'clock'
  | 'failover' | 'reshard' | 'resize'
  /** Not planned: what happened when a replica became a master. */
  | 'takeover'

export interface FaultDefinition {
  place: Place
  mode: FaultMode
  /** Milliseconds from its beginning to its end, before anything is restarted: shortest and longest. */
  lasts: [number, number]
  /** The gateway itself waits up to a minute afterwards, by design. */
  slowRecovery?: boolean
}

const PROCESS_MODES = { kill: [0, 2_000], term: [0, 1_500], pause: [500, 8_000] } as const
/** From the true time, and back. */
export const CLOCK_STEPS_MS = [600_000, -600_000, 10_800_000, -10_800_000] as const
const CLOCK_LASTS = [2_000, 6_000] as const
const LINK_MODES = { cut: [300, 4_000], hold: [500, 7_000], slow: [1_000, 5_000] } as const
const CLOUDWATCH_MODES = {
  throttle: [1_000, 4_000],
  error: [1_000, 4_000],
  hang: [1_000, 5_000],
  reset: [500, 4_000],
  delay: [1_000, 5_000],
  garbage: [500, 3_000],
  denied: [500, 2_000],
  'lost-answer': [500, 3_000],
  'late-answer': [1_000, 5_000]
} as const

function define (place: Place, modes: Partial<Record<FaultMode, readonly [number, number]>>): FaultDefinition[] {
  return Object.entries(modes).map(([mode, [shortest, longest]]) => ({
    place, mode: mode as FaultMode, lasts: [shortest, longest], ...(mode === 'denied' ? { slowRecovery: true } : {})
  }))
}

const COMMON = [
  ...define('web', { ...PROCESS_MODES, 'term-unfinished': [0, 1_500], clock: CLOCK_LASTS }),
  ...define('client-web', LINK_MODES),
  ...define('worker-cloudwatch', LINK_MODES),
  ...define('cloudwatch', CLOUDWATCH_MODES),
  ...define('disk', { 'spool-full': [4_000, 6_000] })
]

const WORKER = define('worker', { ...PROCESS_MODES, clock: CLOCK_LASTS })

/** Nodes count as failed after 3 s: some of these end before a replica takes over, some after. */
const REPLICATED = [
  ...define('redis-master', {
    kill: [0, 9_000], term: [0, 6_000], pause: [500, 9_000], failover: [0, 0], clock: CLOCK_LASTS
  }),
  ...define('redis-replica', { kill: [0, 2_000], pause: [500, 6_000] }),
  ...define('redis-network', { cut: [300, 5_000], hold: [500, 7_000], slow: [1_000, 4_000] }),
  ...define('redis-nodes', { 'memory-full': [2_000, 6_000] })
]

const DEFINITIONS: Record<Backend, FaultDefinition[]> = {
  embedded: [...COMMON, ...define('disk', { 'disk-full': [3_000, 6_000] })],
  redis: [
    ...COMMON,
    ...WORKER,
    ...define('redis', { ...PROCESS_MODES, 'memory-full': [2_000, 6_000], clock: CLOCK_LASTS }),
    ...define('web-redis', LINK_MODES),
    ...define('worker-redis', LINK_MODES)
  ],
  cluster: [...COMMON, ...WORKER, ...REPLICATED, ...define('redis-nodes', { reshard: [0, 0], resize: [0, 0] })],
  sentinel: [...COMMON, ...WORKER, ...REPLICATED, ...define('redis-sentinel', { kill: [0, 4_000] })]
}

export type FaultKind = `${Place} ${FaultMode}`

export interface PlannedFault {
  /** Milliseconds after the load has begun. */
  atMs: number
  durationMs: number
  place: Place
  mode: FaultMode
  /** Picks one of several processes or links; of the nodes of a Redis there are more than two. */
  which: number
  /** The share of the calls that a fault at CloudWatch hits. */
  share: number
  /** Milliseconds by which each piece or answer is late. */
  delayMs: number
  /** From the true time, for a clock that is set. */
  stepMs: number
}

export interface ScheduleOptions {
  seed: number
  seconds: number
  backend: Backend
  /** Whether the embedded spool has a disk of its own, which can be filled. */
  canFillDisk: boolean
  /** Whether the clocks of processes can be set. */
  canStepClocks: boolean
  /** The mean number of faults a minute; absent: FAULTS_PER_MINUTE. */
  faultsPerMinute?: number
}

/** Faults come in waves, so that a gateway that needs quiet to recover gets it from time to time. */
const WAVE_MS = [6_000, 12_000] as const
const CALM_MS = 5_000
const GAP_MS = [400, 3_600] as const
/** The mean number of faults a minute that waves, calm and gaps make. */
export const FAULTS_PER_MINUTE = 20
/** A run shorter than this has no faults after which the gateway waits for long. */
const SLOW_RECOVERY_SECONDS = 45
/** Delays of answers, above AWS_REQUEST_TIMEOUT_MS of a run's gateways and well below. */
const ANSWER_DELAYS_MS = [400, 1_200, 5_000]
const PIECE_DELAYS_MS = [50, 150, 300]

/** The same options give the same faults: every kind is dealt before any comes again. */
export function planFaults ({
  seed,
  seconds,
  backend,
  canFillDisk,
  canStepClocks,
  faultsPerMinute = FAULTS_PER_MINUTE
}: ScheduleOptions): PlannedFault[] {
  const random = new Random(seed)
  const kinds = DEFINITIONS[backend].filter(({ mode, slowRecovery }) =>
    (canFillDisk || mode !== 'disk-full') && (canStepClocks || mode !== 'clock') && (
      slowRecovery !== true || seconds >= SLOW_RECOVERY_SECONDS
    ))
  const endMs = seconds * 1_000
  const faults: PlannedFault[] = []
  let deck: FaultDefinition[] = []
  let waveEnd = random.int(...WAVE_MS)
  const gap = (): number => Math.round(random.int(...GAP_MS) * FAULTS_PER_MINUTE / faultsPerMinute)
  for (let atMs = 1_000; atMs < endMs; atMs += gap()) {
    if (atMs > waveEnd) {
      atMs += CALM_MS
      waveEnd = atMs + random.int(...WAVE_MS)
    }
    if (deck.length === 0) deck = random.shuffled(kinds)
    const { place, mode, lasts } = deck.pop()!
    const fault = {
      atMs,
      durationMs: random.int(...lasts),
      place,
      mode,
      which: random.int(0, backend === 'cluster' || backend === 'sentinel' ? 11 : 1),
      share: random.pick([0.3, 0.7, 1]),
      delayMs: random.pick(mode === 'slow' ? PIECE_DELAYS_MS : ANSWER_DELAYS_MS),
      stepMs: random.pick(CLOCK_STEPS_MS)
    }
    if (atMs + fault.durationMs <= endMs) faults.push(fault)
  }
  return faults
}

/** Rules of the sandbox for a fault at CloudWatch. */
export function cloudwatchRules ({
  mode, share, delayMs
}: Pick<PlannedFault, 'mode' | 'share' | 'delayMs'>): FaultRule[] {
  switch (mode) {
    case 'throttle': return [{ kind: 'throttle', share }]
    case 'error':
      return [{ kind: 'error', status: 500, share: share / 2 }, { kind: 'error', status: 503, share: share / 2 }]
    case 'hang': return [{ kind: 'hang', share }]
    case 'reset': return [{ kind: 'reset', share }]
    case 'delay': return [{ kind: 'delay', delayMs, share }]
    case 'garbage': return [{ kind: 'garbage', share, afterStore: true }]
    case 'denied': return [{ kind: 'refuse', code: 'AccessDeniedException', share }]
    case 'lost-answer':
      return [
        { kind: 'reset', share: share / 2, afterStore: true },
        { kind: 'error', status: 500, share: share / 2, afterStore: true }
      ]
    case 'late-answer': return [{ kind: 'delay', delayMs, share, afterStore: true }]
    default: throw new Error(`${mode} is not a fault at CloudWatch`)
  }
}
