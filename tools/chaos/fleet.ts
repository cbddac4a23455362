import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findPort } from '../shared/ports.js'
import {
  bareEnvironment, startGatewayProcess, startSandboxProcess, type Environment, type ServerProcess
} from '../shared/processes.js'
import { startRedisProcess } from '../shared/redis.js'
import { canStepClocks, createSteppedClock, type SteppedClock } from '../shared/stepped-clock.js'
import { Disk } from './disk.js'
import { Link } from './link.js'
import { Member, type MemberObserver } from './member.js'
import type { Web } from './load.js'
import { ClusterStore } from './replicated/cluster-store.js'
import type { Premises, ReplicatedStore } from './replicated/replicated-store.js'
import { SentinelStore } from './replicated/sentinel-store.js'
import type { Backend } from './schedule.js'
import { Witness } from './witness.js'

/** Size of the embedded spool's own disk: the spool is full before the disk, unless a fault fills the disk. */
const DISK_BYTES = 320 * 1_048_576
const EMBEDDED = 'gateway'
const WEBS = ['web-1', 'web-2']
const WORKERS = ['worker-1', 'worker-2']

export interface FleetOptions {
  backend: Backend
  /** An empty folder. */
  folder: string
  /** Configuration of the gateways beside the variables that make them a fleet. */
  settings: Record<string, string>
  /** Whether the embedded spool gets a disk of its own, where that is possible. */
  ownDisk: boolean
  /** Gateways and Redis get clocks that can be set, where that is possible. */
  ownClocks: boolean
  observer: MemberObserver
  /** Ends the start. */
  signal: AbortSignal
}

/** Gateways, their store and CloudWatch, each in a process of its own, and a link between any two that talk. */
export class Fleet {
  readonly backend: Backend
  readonly members = new Map<string, Member>()
  readonly links = new Map<string, Link>()
  readonly clientSecret = randomBytes(24).toString('base64url')
  readonly adminToken = randomBytes(24).toString('base64url')
  readonly #options: FleetOptions
  readonly #accessSecret = randomBytes(24).toString('base64url')
  /** The ports of the gateways. */
  readonly #ports = new Map<string, number>()
  readonly #taken = new Set<number>()
  sandbox!: ServerProcess
  witness!: Witness
  disk: Disk | null = null
  /** The port of a Redis that is one node alone. */
  redisPort: number | null = null
  /** A Redis Cluster, or a Redis with Sentinels; null for any other store. */
  store: ReplicatedStore | null = null
  /** Of the gateways and of Redis, by name; null where they cannot be set. */
  readonly clocks: Map<string, SteppedClock> | null

  private constructor (options: FleetOptions) {
    this.backend = options.backend
    this.#options = options
    this.clocks = options.ownClocks && canStepClocks() ? new Map() : null
  }

  /** @throws ProcessError */
  static async start (options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    try {
      await fleet.#start()
      return fleet
    } catch (error) {
      await fleet.close()
      throw error
    }
  }

  /** Names of the processes that take requests. */
  get webs (): string[] {
    return this.backend === 'embedded' ? [EMBEDDED] : WEBS
  }

  /** Names of the processes that deliver. */
  get forwarders (): string[] {
    return this.backend === 'embedded' ? [EMBEDDED] : WORKERS
  }

  /** The web processes as clients reach them: each behind a link. */
  get linkedWebs (): Web[] {
    return this.webs.map(name => ({ name, url: `http://127.0.0.1:${this.links.get(`client ${name}`)!.port}` }))
  }

  /** The gateways as an operator reaches them: without a link. */
  get gateways (): Web[] {
    return [...this.#ports].map(([name, port]) => ({ name, url: `http://127.0.0.1:${port}` }))
  }

  pids (): Array<[name: string, pid: number]> {
    return [...this.members].flatMap(([name, { pid }]) => pid === null ? [] : [[name, pid]])
  }

  /** @param keepIn folder in which the files of the spool stay; absent: they are removed */
  async close (keepIn?: string): Promise<void> {
    this.store?.close()
    await Promise.all(Array.from(this.members.values(), member => member.close()))
    await this.sandbox?.stop('SIGKILL')
    this.witness?.close()
    for (const link of this.links.values()) link.close()
    this.disk?.close(keepIn)
  }

  async #start (): Promise<void> {
    this.sandbox = await startSandboxProcess()
    this.witness = new Witness(this.sandbox.url)
    await this.#startStore()
    for (const name of new Set([...this.webs, ...this.forwarders])) await this.#addGateway(name)
    await Promise.all(Array.from(this.members.values(), member => member.up()))
  }

  async #startStore (): Promise<void> {
    const { signal } = this.#options
    switch (this.backend) {
      case 'embedded': return this.#mountDisk()
      case 'redis': return await this.#startRedis()
      case 'cluster': this.store = await ClusterStore.start(this.#premises(), signal); return
      case 'sentinel': this.store = await SentinelStore.start(this.#premises(), signal)
    }
  }

  #premises (): Premises {
    return {
      port: () => this.#freePort(),
      link: (name, target) => this.#link(name, target),
      folder: name => this.#folder(name),
      clock: name => this.#clock(name),
      member: (name, start) => this.#add(name, start)
    }
  }

  #mountDisk (): void {
    const path = this.#folder('data')
    if (this.#options.ownDisk) this.disk = Disk.mount(path, DISK_BYTES)
  }

  async #startRedis (): Promise<void> {
    const port = await this.#freePort()
    this.redisPort = port
    const folder = this.#folder('redis')
    const environment = this.#clock('redis')
    const redis = this.#add('redis', onOutput =>
      startRedisProcess({ port, folder, appendfsync: 'always', onOutput, environment }))
    await redis.up()
    for (const name of [...WEBS, ...WORKERS]) await this.#link(`${name} redis`, port)
  }

  async #addGateway (name: string): Promise<void> {
    const port = await this.#freePort()
    this.#ports.set(name, port)
    if (this.webs.includes(name)) await this.#link(`client ${name}`, port)
    const forwards = this.forwarders.includes(name)
    if (forwards) await this.#link(`${name} cloudwatch`, await this.witness.listen(name))
    const folder = this.#folder(name)
    const environment = { ...this.#environment(name, port), ...this.#clock(name) }
    this.#add(name, onOutput => startGatewayProcess(environment, port, folder, { readyPath: '/health/live', onOutput }))
  }

  #add (name: string, start: (log: (chunk: string) => void) => Promise<ServerProcess>): Member {
    const logFile = join(this.#options.folder, `${name}.log`)
    const member = new Member(name, () => start(chunk => appendFileSync(logFile, chunk)), this.#options.observer)
    this.members.set(name, member)
    return member
  }

  #environment (name: string, port: number): Environment {
    const { folder, settings } = this.#options
    const cloudwatch = this.links.get(`${name} cloudwatch`)
    const store = this.backend === 'embedded'
      ? { DATA_DIR: join(folder, 'data'), FORWARDER: 'on' }
      : {
          REDIS_URL: this.store?.url ?? `redis://127.0.0.1:${this.links.get(`${name} redis`)!.port}`,
          FORWARDER: cloudwatch === undefined
            ? 'off'
            : 'only'
        }
    return {
      ...bareEnvironment(),
      CLIENT_SECRET_KEY: this.clientSecret,
      ACCESS_TOKEN_SECRET_KEY: this.#accessSecret,
      ADMIN_TOKEN: this.adminToken,
      AWS_REGION: 'eu-west-1',
      // A process that does not forward calls nothing of CloudWatch.
      AWS_ENDPOINT_URL: `http://127.0.0.1:${cloudwatch?.port ?? 1}`,
      AWS_ACCESS_KEY_ID: 'chaos',
      AWS_SECRET_ACCESS_KEY: 'chaos',
      AWS_CONFIG_FILE: join(folder, 'none'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
      RATE_LIMIT_PER_MINUTE: '0',
      FAILURES_PER_MINUTE: '0',
      WORKER_PORT: String(port),
      ...store,
      ...settings
    }
  }

  async #link (name: string, target: number): Promise<Link> {
    const link = await Link.open(await this.#freePort(), target)
    this.links.set(name, link)
    return link
  }

  async #freePort (): Promise<number> {
    for (;;) {
      const port = await findPort()
      if (this.#taken.has(port)) continue
      this.#taken.add(port)
      return port
    }
  }

  /** The environment in which a process has a clock of its own. */
  #clock (name: string): Record<string, string> {
    if (this.clocks === null) return {}
    const clock = createSteppedClock(this.#options.folder, name)
    this.clocks.set(name, clock)
    return clock.environment
  }

  #folder (name: string): string {
    const path = join(this.#options.folder, name)
    mkdirSync(path, { recursive: true })
    return path
  }
}
