import { backoffMs, DEFAULT_BACKOFF } from '../../lib/resilience/backoff.js'
import { LocalRateLimiter } from '../../lib/resilience/rate-limiter.js'
import { DueQueue, type Due } from '../../lib/spool/embedded/due-queue.js'
import { LEASE_LIMITS } from '../../lib/spool/batch-limits.js'
import { Random } from '../shared/random.js'
import { ConfigSchema } from '../../schemas/config.js'
import { CloudWatch } from './cloudwatch.js'
import { Delays } from './delays.js'
import { Destination, type Cohort } from './destination.js'
import { leaseCost, requestMicros } from './lease-cost.js'
import { RATES } from './rates.js'
import { FLOW_KINDS, PACE_TPS, sizesOf, type Flow, type FlowKind, type Scenario } from './scenario.js'
import { CpuQueue } from './cpu-queue.js'

/** Requests that came in one tick, a small part of a flush interval, are seen at its end. */
const TICKS = 20
const MAX_TICK_MS = 50
/** A web process whose event loop is later than this answers 503. */
const MAX_WEB_QUEUE_MS: number = ConfigSchema.properties.MAX_EVENT_LOOP_DELAY_MS.default
/** COMMAND_TIMEOUT_MS of the spool in Redis: a command that waits for longer is answered 503. */
const MAX_REDIS_QUEUE_MS = 5_000

/** The share of a delivery's cost in Redis before its call, an assumption: a delivery that fails costs no more. */
const TAKE_SHARE = 0.5

export const REFUSALS = ['web', 'redis', 'memory', 'spool'] as const
export type Refusal = typeof REFUSALS[number]

/** Everything counted since the start. */
export interface Totals {
  /** Items that came. */
  offered: number
  accepted: number
  refused: Record<Refusal, number>
  delivered: number
  /** Items that no forwarder has under way, and items that a forwarder has under way. */
  waiting: number
  leased: number
  /** Bytes of the spool, and of the memory of Redis. */
  bytes: number
  memory: number
  calls: Record<FlowKind, { made: number, taken: number, throttled: number, failed: number }>
  /** Milliseconds that calls have waited for the rate limiter. */
  paced: Record<FlowKind, number>
}

/** The state of a simulation at one moment. */
export interface Reading {
  /** Seconds from the start. */
  at: number
  totals: Totals
  delays: Delays
  /** Age of the oldest item that is not delivered, in milliseconds. */
  oldestMs: number
  /** Milliseconds that one process or slot was busy since the start, in the mean; `slots` of the busier kind. */
  busy: { web: number, forwarder: number, redis: number, slots: number }
  away: boolean
  /** Destinations with items that wait because a delivery has failed. */
  held: number
}

interface Event extends Due {
  run: () => void
}

/** One of the deliveries that a forwarder has under way at once. */
interface Slot {
  forwarder: CpuQueue
}

interface Lease {
  destination: Destination
  slot: Slot
  left: Cohort[]
  takenAt: number
  /** Calls still to be made. */
  callsLeft: number
  microsPerCall: number
  /** Microseconds of CPU of Redis for the settlement of a delivered lease. */
  settleMicros: number
  progress: boolean
}

interface Source {
  flow: Flow
  destinations: Destination[]
  /** Requests that have come. */
  requests: number
  /** Index of the destination whose turn it is. */
  turn: number
}

/** The gateway and CloudWatch over time. The same scenario gives the same result. */
export class Simulation {
  readonly totals: Totals = {
    offered: 0,
    accepted: 0,
    refused: { web: 0, redis: 0, memory: 0, spool: 0 },
    delivered: 0,
    waiting: 0,
    leased: 0,
    bytes: 0,
    memory: 0,
    calls: byKind(() => ({ made: 0, taken: 0, throttled: 0, failed: 0 })),
    paced: byKind(() => 0)
  }

  readonly #scenario: Scenario
  readonly #tickMs: number
  readonly #events = new DueQueue<Event>()
  readonly #due = byKind(() => new DueQueue<Destination>())
  readonly #idle: Record<FlowKind, Slot[]>
  /** Slots of each kind. */
  readonly #slotCount: number
  readonly #wakes: Record<FlowKind, Event>
  readonly #paces: Record<FlowKind, LocalRateLimiter>
  readonly #cloudwatch: CloudWatch
  readonly #web: CpuQueue
  readonly #forwarders: CpuQueue[]
  readonly #redis: CpuQueue[]
  readonly #sources: Source[]
  readonly #leases = new Set<Lease>()
  readonly #random: Random
  /** Bytes of memory of all shards. */
  readonly #memoryBytes: number
  #delays = new Delays()
  /** Milliseconds from the start. */
  #now = 0
  readonly #slotMs = byKind(() => 0)

  constructor (scenario: Scenario) {
    this.#scenario = scenario
    this.#tickMs = Math.min(MAX_TICK_MS, scenario.flushIntervalMs / TICKS)
    const { redisShards, redisMemoryBytes, webs, forwarders, concurrency, quotaTps, outages, seed } = scenario
    const embedded = redisShards === 0
    this.#web = new CpuQueue(embedded ? 1 : webs)
    this.#forwarders = embedded ? [this.#web] : Array.from({ length: forwarders }, () => new CpuQueue(1))
    this.#redis = Array.from({ length: redisShards }, () => new CpuQueue(1))
    this.#memoryBytes = embedded ? Infinity : redisShards * redisMemoryBytes
    const slots = Array.from({ length: concurrency }, () => this.#forwarders.map(forwarder => ({ forwarder }))).flat()
    this.#slotCount = slots.length
    this.#idle = byKind(() => [...slots])
    this.#paces = byKind(kind => new LocalRateLimiter({ cap: PACE_TPS[kind], now: () => this.#now }))
    this.#wakes = byKind(kind => ({ dueAt: null, heapIndex: -1, run: () => this.#dispatch(kind) }))
    this.#cloudwatch = new CloudWatch(quotaTps, outages)
    this.#random = new Random(seed)
    this.#sources = scenario.flows.map(flow =>
      ({ flow, destinations: this.#destinationsOf(flow), requests: 0, turn: 0 }))
    this.#at(this.#tickMs, () => this.#tick())
  }

  /** Lets time pass until so many seconds from the start. */
  runTo (seconds: number): void {
    const end = seconds * 1_000
    for (let event = this.#events.peek(); event !== undefined && event.dueAt! <= end; event = this.#events.peek()) {
      this.#now = event.dueAt!
      this.#events.set(event, null)
      event.run()
    }
    this.#now = end
  }

  /** The state now; its delays are those since the last reading. */
  read (): Reading {
    const delays = this.#delays
    this.#delays = new Delays()
    const now = this.#now
    const mean = (queues: CpuQueue[]): number =>
      queues.length === 0 ? 0 : queues.reduce((sum, queue) => sum + queue.busy(now), 0) / queues.length
    const slotMs = { ...this.#slotMs }
    for (const { destination, takenAt } of this.#leases) slotMs[destination.flow.kind] += now - takenAt
    return {
      at: now / 1_000,
      totals: structuredClone(this.totals),
      delays,
      oldestMs: Math.max(0, now - this.#oldestAt()),
      busy: {
        web: this.#web.busy(now),
        forwarder: mean(this.#forwarders),
        redis: mean(this.#redis),
        slots: Math.max(...Object.values(slotMs)) / this.#slotCount
      },
      away: this.#cloudwatch.isAway(now),
      held: this.#sources.reduce((sum, { destinations }) =>
        sum + destinations.filter(destination => destination.isHeld(now)).length, 0)
    }
  }

  #oldestAt (): number {
    let oldest = Infinity
    for (const { destinations } of this.#sources) {
      for (const { oldestAt } of destinations) oldest = Math.min(oldest, oldestAt)
    }
    for (const { left } of this.#leases) oldest = Math.min(oldest, left[0]?.at ?? Infinity)
    return oldest
  }

  #destinationsOf (flow: Flow): Destination[] {
    const { redisShards, flushIntervalMs } = this.#scenario
    const sizes = sizesOf(flow)
    const limits = LEASE_LIMITS[flow.kind]
    return Array.from({ length: flow.destinations }, (_, index) => {
      const shard = redisShards === 0 ? 0 : index % redisShards
      return new Destination(flow, sizes, shard, limits, flushIntervalMs, this.#due[flow.kind])
    })
  }

  #at (ms: number, run: () => void): void {
    this.#events.set({ dueAt: null, heapIndex: -1, run }, ms)
  }

  #tick (): void {
    for (const source of this.#sources) {
      const seconds = Math.min(this.#now / 1_000, this.#scenario.arrivalSeconds)
      const came = Math.floor(source.flow.requestsPerSecond * seconds)
      this.#receive(source, came - source.requests)
      source.requests = came
    }
    for (const kind of FLOW_KINDS) this.#dispatch(kind)
    this.#at(this.#now + this.#tickMs, () => this.#tick())
  }

  /** Spreads requests over the destinations, each in turn. */
  #receive (source: Source, requests: number): void {
    const { flow, destinations } = source
    const { itemsPerRequest } = flow
    const { totals } = this
    totals.offered += requests * itemsPerRequest
    const micros = requestMicros(flow, RATES.web)
    const room = Math.floor((MAX_WEB_QUEUE_MS - this.#web.queued(this.#now)) * 1_000 * this.#webCores() / micros)
    const taken = Math.max(0, Math.min(requests, room))
    this.#web.work(taken * micros, this.#now)
    totals.refused.web += (requests - taken) * itemsPerRequest
    const each = Math.floor(taken / destinations.length)
    const more = taken % destinations.length
    for (let i = 0; i < (each === 0 ? more : destinations.length); i++) {
      this.#append(destinations[(source.turn + i) % destinations.length]!, each + (i < more ? 1 : 0))
    }
    source.turn = (source.turn + more) % destinations.length
  }

  #webCores (): number {
    return this.#scenario.redisShards === 0 ? 1 : this.#scenario.webs
  }

  #append (destination: Destination, requests: number): void {
    const { flow, sizes } = destination
    const { itemsPerRequest } = flow
    const { totals } = this
    const { spoolMaxBytes } = this.#scenario
    const fittingSpool = fits(requests, spoolMaxBytes - totals.bytes, sizes.stored * itemsPerRequest)
    const fitting = fits(fittingSpool, this.#memoryBytes - totals.memory, sizes.memory * itemsPerRequest)
    totals.refused.spool += (requests - fittingSpool) * itemsPerRequest
    totals.refused.memory += (fittingSpool - fitting) * itemsPerRequest
    const redis = this.#redis[destination.shard]
    if (redis !== undefined && redis.queued(this.#now) > MAX_REDIS_QUEUE_MS) {
      totals.refused.redis += fitting * itemsPerRequest
      return
    }
    if (fitting === 0) return
    redis?.work(fitting * requestMicros(flow, RATES.redisAppend), this.#now)
    const items = fitting * itemsPerRequest
    totals.accepted += items
    totals.waiting += items
    totals.bytes += items * sizes.stored
    totals.memory += items * sizes.memory
    // The requests of a tick are spread evenly over it.
    const firstAt = this.#now - this.#tickMs * fitting / (fitting + 1)
    destination.append(items, firstAt, this.#now)
  }

  /** Gives due destinations to idle slots. */
  #dispatch (kind: FlowKind): void {
    const due = this.#due[kind]
    const idle = this.#idle[kind]
    for (let next = due.peek(); next !== undefined && next.dueAt! <= this.#now && idle.length > 0; next = due.peek()) {
      this.#deliver(next, idle.shift()!)
    }
    const nextAt = idle.length > 0 ? due.peek()?.dueAt ?? null : null
    this.#events.set(this.#wakes[kind], nextAt)
  }

  #deliver (destination: Destination, slot: Slot): void {
    const { flow, sizes } = destination
    const left = destination.take(this.#now)
    const items = itemsOf(left)
    this.totals.waiting -= items
    this.totals.leased += items
    const { calls, micros, redisMicros } = leaseCost(flow, sizes, items, left[0]!.at, left.at(-1)!.at)
    const lease: Lease = {
      destination,
      slot,
      left,
      takenAt: this.#now,
      callsLeft: calls,
      microsPerCall: micros / calls,
      settleMicros: redisMicros * (1 - TAKE_SHARE),
      progress: false
    }
    this.#leases.add(lease)
    const redis = this.#redis[destination.shard]
    const readyAt = redis?.work(redisMicros * TAKE_SHARE, this.#now) ?? this.#now
    this.#at(readyAt, () => this.#prepareCall(lease))
  }

  #prepareCall (lease: Lease): void {
    const { kind } = lease.destination.flow
    this.#at(lease.slot.forwarder.work(lease.microsPerCall, this.#now), () => {
      const waitMs = Math.max(0, this.#paces[kind].reserve())
      this.totals.paced[kind] += waitMs
      this.#at(this.#now + waitMs, () => this.#call(lease))
    })
  }

  #call (lease: Lease): void {
    const { kind } = lease.destination.flow
    const calls = this.totals.calls[kind]
    this.#paces[kind].countCall()
    calls.made++
    const answer = this.#cloudwatch.call(kind, this.#now)
    if (answer === 'taken') calls.taken++
    else if (answer === 'throttle') calls.throttled++
    else calls.failed++
    this.#at(this.#now + this.#scenario.latencyMs, () => {
      if (answer === 'taken') this.#taken(lease)
      else this.#failed(lease, answer)
    })
  }

  #taken (lease: Lease): void {
    let items = Math.ceil(itemsOf(lease.left) / lease.callsLeft)
    lease.callsLeft--
    lease.progress = true
    this.totals.delivered += items
    this.totals.leased -= items
    this.totals.bytes -= items * lease.destination.sizes.stored
    this.totals.memory -= items * lease.destination.sizes.memory
    while (items > 0) {
      const cohort = lease.left[0]!
      const part = Math.min(items, cohort.items)
      this.#delays.add(this.#now - cohort.at, part)
      cohort.items -= part
      items -= part
      if (cohort.items === 0) lease.left.shift()
    }
    if (lease.left.length > 0) this.#prepareCall(lease)
    else this.#end(lease, null)
  }

  #failed (lease: Lease, failure: 'throttle' | 'unavailable'): void {
    if (failure === 'throttle') this.#paces[lease.destination.flow.kind].throttled()
    const { attempt } = lease.destination
    this.#end(lease, backoffMs({ class: failure }, attempt, DEFAULT_BACKOFF, () => this.#random.next()))
  }

  #end (lease: Lease, delayMs: number | null): void {
    const { destination, slot, left, takenAt, settleMicros, progress } = lease
    if (progress) this.#redis[destination.shard]?.work(settleMicros, this.#now)
    const items = itemsOf(left)
    this.totals.leased -= items
    this.totals.waiting += items
    destination.settle(left, progress, delayMs, this.#now)
    this.#leases.delete(lease)
    this.#slotMs[destination.flow.kind] += this.#now - takenAt
    this.#idle[destination.flow.kind].push(slot)
    this.#dispatch(destination.flow.kind)
  }
}

/** How many of the requests fit into the room. */
function fits (requests: number, room: number, requestBytes: number): number {
  return Math.max(0, Math.min(requests, Math.floor(room / requestBytes)))
}

function itemsOf (cohorts: Cohort[]): number {
  return cohorts.reduce((sum, { items }) => sum + items, 0)
}

function byKind<T> (make: (kind: FlowKind) => T): Record<FlowKind, T> {
  return { logs: make('logs'), metrics: make('metrics') }
}
