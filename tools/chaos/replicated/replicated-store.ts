import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Link } from '../link.js'
import type { Member } from '../member.js'
import type { ServerProcess } from '../../shared/processes.js'
import { startRedisProcess } from '../../shared/redis.js'
import { RedisNode } from './redis-node.js'

const POLL_MS = 50
/** In which a store is as it was before a fault. */
const HEAL_TIMEOUT_MS = 60_000

/** What the fleet gives to the processes of a store. */
export interface Premises {
  /** A port that nobody else gets. */
  port (): Promise<number>
  link (name: string, target: number): Promise<Link>
  folder (name: string): string
  /** The environment in which a process has a clock of its own. */
  clock (name: string): Record<string, string>
  /** @param start starts the process, and may be called again */
  member (name: string, start: (log: (chunk: string) => void) => Promise<ServerProcess>): Member
}

/** A Redis whose masters have replicas that take over. */
export interface ReplicatedStore {
  /** REDIS_URL of every gateway. */
  readonly url: string
  /** The nodes that hold data, by their names. */
  readonly nodes: ReadonlyMap<string, RedisNode>
  /** Names of the Sentinels. */
  readonly sentinels: readonly string[]
  /** Whether every master of the data is known to others and has a replica with all that it has. */
  isWritable (): Promise<boolean>
  /** Whether every node is up and in its place, also as all others see it. */
  isWhole (): Promise<boolean>
  /** Has a replica take the place of a living master. */
  failOver (master: RedisNode): Promise<void>
  close (): void
}

/** @throws Error when the store has not healed in time */
export async function untilHealed (what: string, isHealed: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + HEAL_TIMEOUT_MS
  while (!await isHealed()) {
    if (performance.now() > deadline) throw new Error(`Redis was not ${what} within ${HEAL_TIMEOUT_MS / 1_000} s`)
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** The nodes that say that they are of this role. */
export async function nodesOf (store: ReplicatedStore, role: 'master' | 'replica'): Promise<RedisNode[]> {
  const nodes = [...store.nodes.values()]
  const replications = await Promise.all(nodes.map(node => node.replication()))
  return nodes.filter((_, i) => replications[i]?.role === role)
}

/** Whether a replica has all that this master had a moment ago. */
export async function isConfirmed (store: ReplicatedStore, master: RedisNode): Promise<boolean> {
  const before = await master.replication()
  if (before === null || before.role !== 'master') return false
  // What a master knows of its replicas is up to a second old.
  const after = await Promise.all([...store.nodes.values()].map(node => node.replication()))
  return after.some(each =>
    each?.role === 'replica' && each.isLinked && each.history === before.history && each.offset >= before.offset)
}

export interface NodeOptions {
  premises: Premises
  name: string
  /** Options of redis-server, as `--name value`. @param linkPort the port at which others reach the node */
  args: (linkPort: number) => string[]
  /** Further links, each with the port that it leads to. */
  links?: Link[]
  configFile?: string
}

/** Makes a node; its process is started by its member. */
export async function createNode ({ premises, name, args, links = [], configFile }: NodeOptions): Promise<RedisNode> {
  const port = await premises.port()
  const link = await premises.link(`network ${name}`, port)
  const folder = premises.folder(name)
  const environment = premises.clock(name)
  const member = premises.member(name, onOutput => startRedisProcess({
    port,
    folder,
    // A master that comes back before its replica has taken over has to have all that it has answered for.
    appendfsync: 'always',
    args: ['--repl-diskless-sync-delay', '0', ...args(link.port)],
    environment,
    onOutput,
    ...(configFile === undefined ? {} : { configFile })
  }))
  return new RedisNode({ name, member, port, links: [link, ...links] })
}

/** Repeats a command that a server refuses for now. @throws the last error */
export async function insist<T> (
  node: RedisNode, command: (client: Redis) => Promise<T>, signal: AbortSignal
): Promise<T> {
  const deadline = performance.now() + HEAL_TIMEOUT_MS
  for (;;) {
    try {
      return await command(node.client)
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(POLL_MS, undefined, { signal })
    }
  }
}
