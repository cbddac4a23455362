import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { FaultRule } from '../sandbox/fault-plan.js'
import type { Fleet } from './fleet.js'
import type { LinkMode } from './link.js'
import type { Load } from './load.js'
import { untilHealed } from './replicated/replicated-store.js'
import { StoreFaults, type StoreFault } from './replicated/store-faults.js'
import { cloudwatchRules, REPLICATED_PLACES, type FaultMode, type PlannedFault } from './schedule.js'
import { touches, type Effects, type FaultWindow, type Timeline } from './timeline.js'
import { POISON_METRIC, POISON_TEXT } from './traffic.js'

/** Bytes of a message, so many that waiting items fill the spool or the disk within seconds. */
const LARGE_MESSAGE_BYTES = 24_000

/** Requests that never come whole: their clients begin to send, and stop. */
const UNFINISHED_REQUESTS = [
  'POST /logEve',
  'POST /logEvents HTTP/1.1\r\nHost: gateway\r\nContent-Type: appl',
  'POST /token HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  'POST /metric HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nTransfer-Encoding: ' +
    'chunked\r\n\r\n1\r\n{\r\n'
]
/** Copies of each unfinished request. */
const UNFINISHED_COPIES = 5
/** The time in which a gateway reads the bytes that have come. */
const READ_MS = 100
/** A `maxmemory` in bytes that every server exceeds. */
const NO_MEMORY = 1

/** The rules for items that CloudWatch refuses, however often they come; always in force, and tried first. */
const POISON_RULES: FaultRule[] = [
  {
    kind: 'refuse',
    action: 'PutLogEvents',
    messageIncludes: POISON_TEXT,
    code: 'InvalidParameterException',
    message: 'the event is poison'
  },
  {
    kind: 'refuse',
    action: 'PutMetricData',
    metricName: POISON_METRIC,
    code: 'InvalidParameterValueException',
    message: 'the metric is poison'
  }
]

/** Makes the faults happen, and undoes them. */
export class Injector {
  /** Faults after which a process did not end as it should, in words. */
  readonly failures: string[] = []
  readonly #fleet: Fleet
  readonly #load: Load
  readonly #timeline: Timeline
  readonly #seed: number
  readonly #signal: AbortSignal
  readonly #rules = new Map<FaultWindow, FaultRule[]>()
  readonly #locks = new Map<string, Promise<void>>()
  #applying: Promise<void> = Promise.resolve()

  /** @param signal ends a fault that is under way, and does not undo it */
  constructor (fleet: Fleet, load: Load, timeline: Timeline, seed: number, signal: AbortSignal) {
    this.#signal = signal
    this.#fleet = fleet
    this.#load = load
    this.#timeline = timeline
    this.#seed = seed
  }

  /** To be called before the load begins. */
  async prepare (): Promise<void> {
    await this.#applyRules()
  }

  /** Resolves when the fault is over. One target meets one fault at a time. */
  async strike (fault: PlannedFault): Promise<void> {
    if (isOfStore(fault)) return await this.#inTurn('store', () => this.#strikeStore(fault))
    const target = this.#target(fault)
    // A process that is stopped or ending cannot meet another fault.
    const lock = fault.place === 'cloudwatch' ? `${fault.place} ${fault.mode}` : target
    await this.#inTurn(lock, () => this.#strike(fault, target))
  }

  /** Ends every gateway in good order and starts it again. */
  async restartGateways (): Promise<void> {
    await Promise.all(this.#fleet.gateways.map(async ({ name }) => {
      const member = this.#fleet.members.get(name)!
      await member.up()
      const window = this.#timeline.begin(
        this.#fleet.webs.includes(member.name) ? 'web' : 'worker',
        'term',
        member.name,
        'at the end',
        { processes: [member.name] }
      )
      await member.down('SIGTERM')
      await member.up()
      this.#timeline.end(window)
    }))
  }

  /** CloudWatch answers every call with 500, or its address refuses connections. */
  async outage (how: 'refusing' | 'failing', durationMs: number): Promise<void> {
    const { forwarders } = this.#fleet
    const window = this.#timeline.begin(
      how === 'refusing' ? 'worker-cloudwatch' : 'cloudwatch',
      how === 'refusing' ? 'cut' : 'error',
      forwarders.join(' '),
      'outage',
      { answersOf: forwarders }
    )
    if (how === 'refusing') await this.#setLinks('cut')
    else await this.#setRules(window, [{ kind: 'error', status: 500 }])
    await this.#last(durationMs)
    if (how === 'refusing') await this.#setLinks('open')
    else await this.#setRules(window, null)
    this.#timeline.end(window)
  }

  async #setLinks (mode: LinkMode): Promise<void> {
    for (const name of this.#fleet.forwarders) await this.#fleet.links.get(`${name} cloudwatch`)!.set(mode)
  }

  #target ({ place, which }: PlannedFault): string {
    const { webs, forwarders } = this.#fleet
    const web = webs[which % webs.length]!
    const forwarder = forwarders[which % forwarders.length]!
    switch (place) {
      case 'web': return web
      case 'worker': return forwarder
      case 'client-web': return `client ${web}`
      case 'web-redis': return `${web} redis`
      case 'worker-redis': return `${forwarder} redis`
      case 'worker-cloudwatch': return `${forwarder} cloudwatch`
      default: return place
    }
  }

  async #inTurn (lock: string, strike: () => Promise<void>): Promise<void> {
    const struck = (this.#locks.get(lock) ?? Promise.resolve()).then(strike)
    this.#locks.set(lock, struck.catch(() => {}))
    await struck
  }

  /**
   * A master and its replica are never struck at once: what only the two have would be lost, as it is their number that
   * the guarantee is made of.
   */
  async #strikeStore (fault: StoreFault): Promise<void> {
    const { store, gateways, members, clocks } = this.#fleet
    const faults = new StoreFaults({ store: store!, members, clocks, last: ms => this.#last(ms) })
    const target = await faults.targetOf(fault)
    const window = this.#timeline.begin(fault.place, fault.mode, target, detailOf(fault), {
      storeOf: gateways.map(({ name }) => name),
      ...(fault.mode === 'clock' ? { clockOf: [target] } : {}),
      ...(fault.mode === 'memory-full' ? { full: true } : {})
    })
    const done = await faults.strike(fault, target)
    if (done !== null) this.#timeline.note(`#${window.id} ${done}`)
    await untilHealed('writable', () => store!.isWritable(), this.#signal)
    this.#timeline.end(window)
    await untilHealed('whole', () => store!.isWhole(), this.#signal)
  }

  async #strike (fault: PlannedFault, target: string): Promise<void> {
    const window = this.#timeline.begin(fault.place, fault.mode, target, detailOf(fault), this.#effects(fault, target))
    if (fault.mode === 'memory-full') await this.#fillMemory(fault)
    else if (fault.mode === 'clock') await this.#setClock(fault, target)
    else if (fault.mode === 'term-unfinished') await this.#endUnfinished(fault, target, window)
    else if (this.#fleet.members.has(target)) await this.#strikeProcess(fault, target)
    else if (this.#fleet.links.has(target)) await this.#strikeLink(fault, target)
    else if (fault.place === 'cloudwatch') await this.#strikeCloudwatch(fault, window)
    else await this.#strikeDisk(fault, window)
    this.#timeline.end(window)
  }

  #effects ({ place, mode }: PlannedFault, target: string): Effects {
    const { webs, forwarders, members } = this.#fleet
    const [process] = target.split(' ') as [string]
    if (mode === 'clock') return { clockOf: [target] }
    if (mode === 'disk-full') return { full: true, storeOf: webs, answersOf: forwarders }
    if (mode === 'memory-full') return { full: true }
    if (mode === 'spool-full') return { full: true, answersOf: forwarders }
    if (place === 'redis') return { storeOf: [...members.keys()] }
    if (place === 'web' || place === 'worker') return { processes: [target] }
    if (place === 'client-web') return { requestsOf: [target.split(' ')[1]!] }
    if (place === 'web-redis' || place === 'worker-redis') return { storeOf: [process] }
    return { answersOf: place === 'cloudwatch' ? forwarders : [process] }
  }

  async #strikeProcess ({ mode, durationMs }: PlannedFault, target: string): Promise<void> {
    const member = this.#fleet.members.get(target)!
    // The member may have ended by itself, as Redis is away.
    await member.up()
    if (mode === 'pause') {
      member.signal('SIGSTOP')
      await this.#last(durationMs)
      member.signal('SIGCONT')
      return
    }
    await member.down(mode === 'kill' ? 'SIGKILL' : 'SIGTERM')
    await this.#last(durationMs)
    await member.up()
  }

  async #setClock ({ stepMs, durationMs }: PlannedFault, target: string): Promise<void> {
    const clock = this.#fleet.clocks!.get(target)!
    clock.set(stepMs)
    await this.#last(durationMs)
    clock.set(0)
  }

  /** Redis has less memory than it uses: it takes no new items, and waiting items are delivered. */
  async #fillMemory ({ durationMs }: PlannedFault): Promise<void> {
    await this.#fleet.members.get('redis')!.up()
    await this.#setMaxmemory(NO_MEMORY)
    await this.#last(durationMs)
    await this.#setMaxmemory(0)
  }

  async #setMaxmemory (bytes: number): Promise<void> {
    const redis = new Redis(this.#fleet.redisPort!, '127.0.0.1', { lazyConnect: true })
    redis.on('error', () => {})
    try {
      await redis.config('SET', 'maxmemory', bytes)
    } finally {
      redis.disconnect()
    }
  }

  /** Sends SIGTERM while requests have begun to come that never come whole. */
  async #endUnfinished ({ durationMs }: PlannedFault, target: string, window: FaultWindow): Promise<void> {
    const member = this.#fleet.members.get(target)!
    await member.up()
    const { port } = new URL(this.#fleet.gateways.find(({ name }) => name === target)!.url)
    const sockets = UNFINISHED_REQUESTS.flatMap(text => Array.from({ length: UNFINISHED_COPIES }, () => {
      const socket = connect(Number(port), '127.0.0.1')
      socket.on('error', () => {}).resume()
      socket.write(text)
      return socket
    }))
    await this.#last(READ_MS)
    const startedAt = Date.now()
    const exitCode = await member.down('SIGTERM')
    const endedAt = Date.now()
    for (const socket of sockets) socket.destroy()
    // During another fault the gateway may have had to wait.
    const alone = !this.#timeline.windows.some(other => other !== window && touches(other, startedAt, endedAt))
    if (alone && exitCode !== 0) {
      this.failures.push(
        `${target} ended with exit code ${exitCode} after ${endedAt - startedAt} ms, at ` +
          `${this.#timeline.seconds(endedAt)} s, for requests that did not come whole`
      )
    }
    await this.#last(durationMs)
    await member.up()
  }

  async #strikeLink ({ mode, durationMs, delayMs }: PlannedFault, target: string): Promise<void> {
    const link = this.#fleet.links.get(target)!
    await link.set(mode as LinkMode, delayMs)
    await this.#last(durationMs)
    await link.set('open')
  }

  async #strikeCloudwatch (fault: PlannedFault, window: FaultWindow): Promise<void> {
    await this.#setRules(window, cloudwatchRules(fault))
    await this.#last(fault.durationMs)
    await this.#setRules(window, null)
  }

  /** CloudWatch takes nothing meanwhile, so that the backlog grows. */
  async #strikeDisk ({ mode, durationMs }: PlannedFault, window: FaultWindow): Promise<void> {
    const { traffic } = this.#load
    const { messageBytes } = traffic
    await this.#setRules(window, [{ kind: 'error', status: 503 }])
    traffic.messageBytes = LARGE_MESSAGE_BYTES
    if (mode === 'disk-full') this.#fleet.disk!.fill()
    await this.#last(durationMs)
    if (mode === 'disk-full') this.#fleet.disk!.free()
    traffic.messageBytes = messageBytes
    await this.#setRules(window, null)
  }

  /** @throws AbortError */
  async #last (ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#signal })
  }

  async #setRules (window: FaultWindow, rules: FaultRule[] | null): Promise<void> {
    if (rules === null) this.#rules.delete(window)
    else this.#rules.set(window, rules)
    await this.#applyRules()
  }

  #applyRules (): Promise<void> {
    this.#applying = this.#applying.then(async () => {
      const rules = [...POISON_RULES, ...[...this.#rules.values()].flat()]
      const answer = await fetch(`${this.#fleet.sandbox.url}/_sandbox/faults`, {
        method: 'PUT', body: JSON.stringify({ rules, seed: this.#seed })
      })
      if (!answer.ok) throw new Error(`The sandbox refuses the faults: ${await answer.text()}`)
    })
    return this.#applying
  }
}

function isOfStore (fault: PlannedFault): fault is StoreFault {
  return (REPLICATED_PLACES as readonly string[]).includes(fault.place)
}

const SHARED: ReadonlySet<FaultMode> = new Set([
  'throttle', 'error', 'hang', 'reset', 'delay', 'garbage', 'denied', 'lost-answer', 'late-answer'
])
const DELAYED: ReadonlySet<FaultMode> = new Set(['delay', 'late-answer', 'slow'])

function detailOf ({ mode, durationMs, share, delayMs, stepMs }: PlannedFault): string {
  return [
    `${(durationMs / 1_000).toFixed(1)} s`,
    ...(SHARED.has(mode) ? [`${share * 100} % of the calls`] : []),
    ...(DELAYED.has(mode) ? [`by ${delayMs} ms`] : []),
    ...(mode === 'clock' ? [`by ${stepMs / 60_000} min`] : [])
  ].join(', ')
}
