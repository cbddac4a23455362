import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { hostname } from 'node:os'
import { monotonicNow, unixNow } from '../../clock.js'
import type { MonotonicMs, UnixMs } from '../../../schemas/common.js'
import type { Ledger } from '../../../schemas/reasons.js'
import { isSharded, type RedisClient } from '../../redis/redis-client.js'
import { subscribe, type Subscription } from '../../redis/subscribe.js'
import { isFullBatch } from '../batch-limits.js'
import { lineBytesOf, packEntries, unpackEntry } from '../entry-codec.js'
import { createDeadLetters } from '../dead-letters.js'
import { createLedger } from '../ledger.js'
import { Appender, entryArguments } from './appender.js'
import { Capacity } from './capacity.js'
import { checkServer, type Durability } from './checks.js'
import { keysOf, withSpoolCommands, type Argument } from './commands.js'
import { Connection } from './connection.js'
import { DueShards } from './due-shards.js'
import { Keys } from './keys.js'
import { createRedisDeadLetterStore, deadLetterIdRest } from './dead-letter-store.js'
import { probeShards } from './probe.js'
import { RequestKeys } from './request-keys.js'
import { retryStore } from '../retry.js'
import { countOutcomes } from '../settlement.js'
import {
  SpoolFullError, SpoolUnavailableError,
  type Append, type AppendOnceResult, type DeadLetters, type Depth, type KeyedAppend, type KeyedRequest, type Lease,
  type LeasedRecord, type Settlement, type Spool, type SpoolOptions, type SpoolSync, type TakeOptions, type TakeResult,
  type UnreadCount
} from '../spool.js'
import { byVersion, parseQueueName, queueName } from '../queue-name.js'
import { KINDS, type Kind } from '../../../schemas/kinds.js'

const PREFIX = 'cloudwatch-postman'
const COMMAND_TIMEOUT_MS = 5_000
/** A spool without room for as much is full. */
const PROBE_BYTES = 1
/** For how long no lease is asked for of a shard whose node is away, so that it holds up no other. */
const AWAY_MS = 1_000
/** Counters of unread records, each followed by their version. */
const UNREAD = 'unread:'

export interface RedisSpoolOptions extends SpoolOptions {
  /** Shared; stays open when the spool closes. */
  redis: RedisClient
  /** Start of every key; `cloudwatch-postman` unless given. */
  prefix?: string
  /** Slots over which the destinations of a kind are spread; the same for all processes. May be raised and lowered. */
  shards: number
  /**
   * `commit`: Redis has an append that has resolved. `always`: a disk or a replica has it too, which needs
   * `appendfsync always`, or an append-only file on Redis 7.2, or a replica.
   */
  sync: SpoolSync
  /** Start of the names of leases, to tell processes apart; host and process id unless given. */
  consumer?: string
  /** How long Redis may take to answer; 5,000 unless given. */
  commandTimeoutMs?: number
  /** Called when the server is configured in a way that may lose records. */
  onWarning?: (message: string) => void
}

/** The sums over a lease that the scripts are told. */
interface Held {
  base: string
  /** Its name. */
  queue: string
  entries: number
  records: number
  items: number
  bytes: number
  lineBytes: number
  /** When its oldest entry was appended. */
  oldestAt: UnixMs
  /** A call to settle it got no answer, and may have settled it. */
  maybeSettled: boolean
}

/**
 * Opens the spool in Redis, for any number of processes.
 * @throws SpoolConfigurationError when the server is too old, or cannot give what `sync` asks for
 * @throws SpoolUnavailableError when it does not answer
 */
export async function openRedisSpool (options: RedisSpoolOptions): Promise<Spool> {
  const { redis, prefix = PREFIX, shards, sync, onWarning = () => {}, commandTimeoutMs = COMMAND_TIMEOUT_MS } = options
  const connection = new Connection(redis, commandTimeoutMs)
  const { durability, allowOom } = await checkServer(connection, sync, onWarning)
  withSpoolCommands(redis, allowOom)
  const { shardCount } = new Keys(prefix, shards)
  const stored = Number(await connection.run(client => client.get(shardCount)) ?? 0)
  if (shards > stored) await connection.run(client => client.postmanRaiseShards(shardCount, shards))
  return new RedisSpool(options, connection, new Keys(prefix, shards, stored, isSharded(redis)), durability)
}

class RedisSpool implements Spool {
  readonly deadLetters: DeadLetters
  readonly #options: RedisSpoolOptions
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #durability: Durability
  readonly #capacity: Capacity
  readonly #requestKeys: RequestKeys
  readonly #appenders = new Map<string, Appender>()
  readonly #leases = new Map<string, Held>()
  /** What the clock of each kind and shard said at the last take. */
  readonly #serverClocks = new Map<string, { said: number, at: MonotonicMs }>()
  /** Base names of shards whose node in the cluster is away, and until when it counts as away. */
  readonly #away = new Map<string, MonotonicMs>()
  readonly #leasePrefix: string
  readonly #dueShards = new DueShards(monotonicNow)
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #closing = new AbortController()
  #subscription: Subscription | null = null
  #closed: Promise<void> | null = null
  #nextLease = 1

  constructor (options: RedisSpoolOptions, connection: Connection, keys: Keys, durability: Durability) {
    this.#options = options
    this.#connection = connection
    this.#keys = keys
    this.#durability = durability
    this.#leasePrefix = `${options.consumer ?? `${hostname()}-${process.pid}`}-${randomBytes(6).toString('hex')}`
    const { lingerMs, limits, maxBytes, isShared = () => false, prefix = PREFIX } = options
    this.#capacity = new Capacity({
      maxBytes,
      isShared,
      countShards: report => Promise.all([
        this.#requestKeys.bytes(report),
        ...keys.all().map(async base => report(base, await this.#counter(base, 'lineBytes')))
      ]),
      countApplications: report => Promise.all(keys.all().map(async base => {
        const held = await connection.run(client => client.hgetall(`${base}:held`))
        for (const [application, bytes] of Object.entries(held)) report(application, Number(bytes))
      }))
    })
    this.#requestKeys = new RequestKeys(connection, this.#capacity, prefix, maxBytes, durability)
    const deadLetterStore = createRedisDeadLetterStore({ connection, keys, lingerMs, limits, maxBytes })
    this.deadLetters = createDeadLetters(deadLetterStore, options)
  }

  async append (append: Append): Promise<void> {
    this.#assertOpen()
    await this.#append(append, null)
  }

  /**
   * A key and the records of its request lie on several shards, which no script can write to together. So the key is
   * claimed first, and each append is stored together with a mark, until the key tells that all of them are stored.
   */
  async appendOnce (appends: readonly KeyedAppend[], request: KeyedRequest): Promise<AppendOnceResult> {
    this.#assertOpen()
    const claim = await this.#requestKeys.claim(request)
    if (!('name' in claim)) return claim
    const { name } = claim
    const marked = appends.map(append => ({ append, mark: `${request.key}.${append.part}` }))
    const results = await Promise.allSettled(marked.map(({ append, mark }) => this.#append(append, mark)))
    const failures = results.flatMap(result => result.status === 'rejected' ? [result.reason as Error] : [])
    const [failure] = failures
    if (failure !== undefined) {
      const isUnstored = claim.state === 'claimed' && failures.length === results.length &&
        failures.every(error => error instanceof SpoolFullError)
      await (isUnstored ? this.#requestKeys.forget(request, name) : this.#requestKeys.release(request, name))
      throw failure
    }
    const finish = async (answer?: string): Promise<void> => {
      const wasHeld = await this.#requestKeys.finish(request, name, answer)
      // Marks stay where another process has gone on with the request: appends of either may still be on their way.
      if (wasHeld && claim.state === 'claimed') await this.#forgetMarks(marked)
    }
    if (results.some(result => result.status === 'fulfilled' && result.value)) return { state: 'stored', finish }
    await finish()
    return { state: 'answered', answer: request.answer }
  }

  /** @returns whether it was stored; false when its mark was stored before */
  async #append (append: Append, mark: string | null): Promise<boolean> {
    const { kind, destination, application = '' } = append
    const lineBytes = lineBytesOf(append.records)
    await this.#capacity.reserve(lineBytes, application)
    try {
      const base = this.#baseOf(kind, destination)
      const isStored = await this.#appender(kind, base).append(append, lineBytes, mark)
      if (isStored) this.#capacity.changed(application, lineBytes)
      this.#dueShards.told(base, this.#waitOf(append))
      return isStored
    } finally {
      this.#capacity.release(lineBytes, application)
    }
  }

  /** Marks that stay, because the store is away, expire by themselves. */
  async #forgetMarks (marked: Array<{ append: Append, mark: string }>): Promise<void> {
    const marks = new Map<Appender, string[]>()
    for (const { append: { kind, destination }, mark } of marked) {
      const appender = this.#appender(kind, this.#baseOf(kind, destination))
      marks.set(appender, [...marks.get(appender) ?? [], mark])
    }
    await Promise.allSettled([...marks].map(([appender, each]) => appender.forget(each)))
  }

  async take (kind: Kind, { flush = false }: TakeOptions = {}): Promise<TakeResult> {
    this.#assertOpen()
    const present = this.#present(kind)
    const result = flush ? await this.#takeLingering(kind, present) : await this.#takeDue(kind, present)
    if (result.lease !== null || this.#away.size === 0) return result
    return { lease: null, nextDueMs: Math.min(result.nextDueMs ?? Infinity, AWAY_MS) }
  }

  async #takeDue (kind: Kind, bases: string[]): Promise<TakeResult> {
    for (const base of this.#dueShards.toAsk(bases)) {
      const lease = (await this.#unlessAway(base, this.#takeFrom(kind, base)))?.lease ?? null
      if (lease !== null) return { lease }
    }
    return { lease: null, nextDueMs: this.#dueShards.nextDueMs(bases) }
  }

  async extend (lease: Lease): Promise<boolean> {
    const held = this.#leases.get(lease.id)
    if (held === undefined) return false
    const extended = await this.#connection.run(client =>
      client.postmanExtend(...keysOf(held.base), lease.id, held.queue, held.entries))
    return extended === 1
  }

  async settle (lease: Lease, settlement: Settlement): Promise<boolean> {
    const { delivered, rejected, deadLettered } = countOutcomes(lease, settlement)
    const held = this.#leases.get(lease.id)
    if (held === undefined) return false
    const ledger: Record<string, number> = { delivered, deadLettered }
    for (const [reason, count] of Object.entries(settlement.rejected ?? {})) ledger[`rejected:${reason}`] = count
    const limits = this.#options.limits[lease.kind]
    const remainder = packEntries(settlement.remainder ?? [], limits)
    const { version: leased } = parseQueueName(held.queue)
    if (leased !== null) ledger[`${UNREAD}${leased}`] = -held.records
    const unread = byVersion(settlement.unread ?? [])
    for (const [version, records] of unread) {
      ledger[`${UNREAD}${version}`] = (ledger[`${UNREAD}${version}`] ?? 0) + records.length
    }
    const queues = [...unread].map(([version, records]) => ({
      queue: queueName(lease.destination, '', version), entries: packEntries(records, limits)
    }))
    const deadLetters = this.#deadLetterArguments(lease, held, settlement)
    const args = [
      lease.id, held.queue, held.entries, held.records, held.items, held.lineBytes,
      settlement.delayMs ?? -1, delivered + rejected + deadLettered > 0 ? 1 : 0, held.oldestAt,
      ...this.#keys.tells(held.base),
      Object.keys(ledger).length, ...Object.entries(ledger).flat(), deadLetters.length / 3, ...deadLetters,
      remainder.length, ...entryArguments(remainder),
      settlement.unreadDelayMs ?? 0, queues.length,
      ...queues.flatMap(({ queue, entries }) => [queue, entries.length, ...entryArguments(entries)])
    ]
    const stored = await this.#retry(() => this.#settleOnce(held, args))
    this.#leases.delete(lease.id)
    if (stored < 0) return held.maybeSettled
    if (remainder.length > 0) this.#dueShards.told(held.base, settlement.delayMs ?? 0)
    this.#capacity.report(held.base, stored)
    const kept = lineBytesOf(settlement.remainder ?? []) + lineBytesOf(settlement.unread ?? [])
    this.#capacity.changed(lease.application ?? '', kept - held.lineBytes)
    return true
  }

  async #settleOnce (held: Held, args: Argument[]): Promise<number> {
    try {
      return await this.#connection.run(client => client.postmanSettle(...keysOf(held.base), ...args))
    } catch (error) {
      held.maybeSettled = true
      throw error
    }
  }

  async release (lease: Lease, delayMs: number): Promise<void> {
    const held = this.#leases.get(lease.id)
    if (held === undefined) return
    await this.#retry(() => this.#connection.run(client =>
      client.postmanRelease(
        ...keysOf(held.base), lease.id, held.queue, held.entries, held.items, held.bytes, delayMs,
        ...this.#keys.tells(held.base)
      )))
    this.#leases.delete(lease.id)
    this.#dueShards.told(held.base, delayMs)
  }

  async depth (kind?: Kind): Promise<Depth> {
    const bases = this.#keys.all(kind)
    const total = async (name: string): Promise<number> => {
      const counts = await Promise.all(bases.map(base => this.#counter(base, name)))
      return counts.reduce((sum, count) => sum + count, 0)
    }
    const [records, items, bytes, ages] = await Promise.all([
      total('records'), total('items'), total('lineBytes'), Promise.all(bases.map(base => this.#oldestAge(base)))
    ])
    return { records, items, bytes, oldestAgeMs: Math.max(0, ...ages) }
  }

  async ledger (): Promise<Ledger> {
    const totals: Record<string, number> = {}
    const shards = await Promise.all(this.#keys.all().map(base =>
      this.#connection.run(client => client.hgetall(`${base}:counters`))))
    for (const shard of shards) {
      for (const [name, count] of Object.entries(shard)) totals[name] = (totals[name] ?? 0) + Number(count)
    }
    const { accepted = 0, delivered = 0, deadLettered = 0, evicted = 0, items = 0 } = totals
    const rejected = Object.fromEntries(Object.entries(totals).map(([name, count]) =>
      [name.replace(/^rejected:/, ''), count]))
    return createLedger({ accepted, delivered, rejected, deadLettered, evicted }, items)
  }

  async keyBytes (): Promise<number> {
    return await this.#requestKeys.bytes()
  }

  onDue (listener: (kind: Kind) => void): () => void {
    this.#subscribe()
    this.#events.on('due', listener)
    return () => { this.#events.off('due', listener) }
  }

  async unread (): Promise<UnreadCount[]> {
    this.#assertOpen()
    const counts = await Promise.all(KINDS.map(kind => this.#unreadOf(kind)))
    return counts.flat()
  }

  async #unreadOf (kind: Kind): Promise<UnreadCount[]> {
    const shards = await Promise.all(this.#keys.all(kind).map(base =>
      this.#connection.run(client => client.hgetall(`${base}:counters`))))
    const counts = new Map<number, number>()
    for (const [name, count] of shards.flatMap(Object.entries<string>)) {
      if (!name.startsWith(UNREAD)) continue
      const version = Number(name.slice(UNREAD.length))
      counts.set(version, (counts.get(version) ?? 0) + Number(count))
    }
    return [...counts].flatMap(([version, records]) => records > 0 ? { kind, version, records } : [])
  }

  async probe (): Promise<string[]> {
    this.#assertOpen()
    await this.#capacity.reserve(PROBE_BYTES)
    this.#capacity.release(PROBE_BYTES)
    return await probeShards({
      connection: this.#connection,
      durability: this.#durability,
      keys: this.#keys,
      requestKeyBases: this.#requestKeys.bases
    })
  }

  close (): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close (): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#appenders.values()].map(appender => appender.idle()))
    this.#subscription?.close()
  }

  #assertOpen (): void {
    if (this.#closed !== null) throw new SpoolUnavailableError('the spool is closed')
  }

  /** Milliseconds in which an append is due by itself; with others it may be due before, which its shard tells. */
  #waitOf ({ kind, records, urgent = false }: Append): number {
    const { lingerMs, limits } = this.#options
    const size = { items: 0, bytes: 0 }
    for (const { items, bytes } of records) {
      size.items += items
      size.bytes += bytes
    }
    return urgent || isFullBatch(size, limits[kind]) ? 0 : lingerMs
  }

  /** The base name of the shard that new records of a destination go to. */
  #baseOf (kind: Kind, destination: string): string {
    return this.#keys.base(kind, this.#keys.shardOf(destination))
  }

  #appender (kind: Kind, base: string): Appender {
    let appender = this.#appenders.get(base)
    if (appender === undefined) {
      const { lingerMs, limits, maxBytes } = this.#options
      appender = new Appender({
        connection: this.#connection,
        base,
        tells: this.#keys.tells(base),
        lingerMs,
        limits: limits[kind],
        maxBytes,
        durability: this.#durability,
        capacity: this.#capacity
      })
      this.#appenders.set(base, appender)
    }
    return appender
  }

  async #takeLingering (kind: Kind, bases: string[]): Promise<TakeResult> {
    let nextDueMs: number | null = null
    for (const base of bases) {
      const taken = await this.#unlessAway(base, this.#takeFrom(kind, base, true))
      if (taken === null) continue
      if (taken.lease !== null) return { lease: taken.lease }
      if (taken.waitMs !== null) nextDueMs = Math.min(nextDueMs ?? Infinity, taken.waitMs)
    }
    return { lease: null, nextDueMs }
  }

  /** The base names of the kind whose node does not count as away. @throws SpoolUnavailableError when there are none */
  #present (kind: Kind): string[] {
    const now = monotonicNow()
    for (const [base, until] of this.#away) {
      if (until <= now) this.#away.delete(base)
    }
    const present = this.#keys.all(kind).filter(base => !this.#away.has(base))
    if (present.length === 0) throw new SpoolUnavailableError('no node of the cluster that has a shard can be reached')
    return present
  }

  /** The answer of a shard; null when its node in the cluster is away. @throws Error of any other Redis */
  async #unlessAway<T> (base: string, answer: Promise<T>): Promise<T | null> {
    try {
      return await answer
    } catch (error) {
      if (!this.#options.redis.isCluster) throw error
      this.#away.set(base, monotonicNow() + AWAY_MS)
      return null
    }
  }

  async #takeFrom (
    kind: Kind, base: string, flush = false
  ): Promise<{ lease: Lease | null, waitMs: number | null }> {
    const { leaseMs, lingerMs, limits } = this.#options
    const id = `${this.#leasePrefix}-${this.#nextLease++}`
    const { items: maxItems, bytes: maxBytes } = limits[kind]
    const clock = this.#serverClocks.get(base)
    const expected = clock === undefined ? 0 : Math.round(clock.said + monotonicNow() - clock.at)
    this.#dueShards.asking(base)
    const reply = await this.#connection.run(client =>
      client.postmanTakeBuffer(...keysOf(base), id, leaseMs, lingerMs, maxItems, maxBytes, flush ? 1 : 0, expected))
    const said = reply.length === 2 ? reply[1] : reply[5]
    this.#serverClocks.set(base, { said, at: monotonicNow() })
    const waitMs = reply[0] === -1 ? null : reply[0]
    this.#dueShards.answered(base, waitMs)
    if (reply.length === 2) return { lease: null, waitMs }
    const [, name, attempt, application, entries] = reply
    const queue = name.toString()
    const { destination, version } = parseQueueName(queue)
    const held: Held = {
      base, queue, entries: 0, records: 0, items: 0, bytes: 0, lineBytes: 0, oldestAt: Infinity, maybeSettled: false
    }
    const records: LeasedRecord[] = []
    for (let i = 0; i < entries.length; i += 2) {
      const sizes = entries[i]!.toString().split(' ').map(Number)
      const [appendedAt = 0, count = 0, items = 0, bytes = 0, lineBytes = 0] = sizes
      held.entries++
      held.records += count
      held.items += items
      held.bytes += bytes
      held.lineBytes += lineBytes
      held.oldestAt = Math.min(held.oldestAt, appendedAt)
      records.push(...unpackEntry(entries[i + 1]!, { items, bytes, appendedAt }))
    }
    this.#leases.set(id, held)
    const lease: Lease = { id, kind, destination, records, unread: version !== null, attempt }
    if (application.length > 0) lease.application = application.toString()
    return { lease, waitMs }
  }

  /** For each dead letter: its id without the time, JSON without the id, bytes of its line. */
  #deadLetterArguments (
    { kind, destination, application }: Lease, { base }: Held, { deadLetters = [] }: Settlement
  ): (string | number)[] {
    const at = unixNow()
    return deadLetters.flatMap(deadLetter => [
      deadLetterIdRest(base),
      JSON.stringify({ ...deadLetter, kind, destination, at, application }),
      Buffer.byteLength(deadLetter.line)
    ])
  }

  async #counter (base: string, name: string): Promise<number> {
    return Number(await this.#connection.run(client => client.hget(`${base}:counters`, name)) ?? 0)
  }

  async #oldestAge (base: string): Promise<number> {
    const oldest = await this.#connection.lowest(`${base}:oldest`)
    return oldest === null ? 0 : unixNow() - oldest.score
  }

  #retry<T> (operation: () => Promise<T>): Promise<T> {
    return retryStore(operation, this.#options.leaseMs * 2, this.#closing.signal)
  }

  #subscribe (): void {
    if (this.#subscription !== null || this.#closed !== null) return
    this.#subscription = subscribe(this.#options.redis, this.#keys.channels(), message => this.#hear(message))
    this.#subscription.listening.then(() => this.#dueShards.listening(), () => {})
  }

  #hear (message: string): void {
    const told = this.#keys.readTold(message)
    if (told === null) return
    for (const base of told.bases) this.#dueShards.told(base, told.waitMs)
    if (told.waitMs === 0) this.#events.emit('due', told.kind)
  }
}
