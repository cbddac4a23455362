import type { SteppedClock } from '../../shared/stepped-clock.js'
import type { LinkMode } from '../link.js'
import type { Member } from '../member.js'
import type { PlannedFault, ReplicatedPlace } from '../schedule.js'
import { ClusterStore } from './cluster-store.js'
import type { RedisNode } from './redis-node.js'
import { nodesOf, type ReplicatedStore } from './replicated-store.js'

/** A `maxmemory` in bytes that every server exceeds. */
const NO_MEMORY = 1

export type StoreFault = PlannedFault & { place: ReplicatedPlace }

export interface StoreFaultsOptions {
  store: ReplicatedStore
  /** By name; the Sentinels are among them. */
  members: ReadonlyMap<string, Member>
  /** By name; null where no clock can be set. */
  clocks: ReadonlyMap<string, SteppedClock> | null
  /** Resolves when this part of a fault has lasted for so long. */
  last: (ms: number) => Promise<void>
}

/** Makes the faults of a Redis with replicas happen, and undoes them; one at a time. */
export class StoreFaults {
  readonly #options: StoreFaultsOptions

  constructor (options: StoreFaultsOptions) {
    this.#options = options
  }

  /** The name of the node, or of the Sentinel, that the fault is to strike. */
  async targetOf ({ place, which }: StoreFault): Promise<string> {
    const { store } = this.#options
    const pick = (names: readonly string[]): string => names[which % names.length]!
    switch (place) {
      case 'redis-nodes': return 'all'
      case 'redis-sentinel': return pick(store.sentinels)
      case 'redis-network': return pick([...store.nodes.keys()])
      case 'redis-master': return pick((await nodesOf(store, 'master')).map(({ name }) => name))
      case 'redis-replica': return pick((await nodesOf(store, 'replica')).map(({ name }) => name))
    }
  }

  /** @returns what was done, in words, where the fault does not say it */
  async strike (fault: StoreFault, target: string): Promise<string | null> {
    const { store, members, clocks, last } = this.#options
    const { mode, durationMs, which, stepMs } = fault
    const node = store.nodes.get(target)
    switch (mode) {
      case 'failover': await store.failOver(node!); break
      case 'reshard': return await (store as ClusterStore).reshard(which)
      case 'resize': return await (store as ClusterStore).resize()
      case 'memory-full': await this.#fillMemory(durationMs); break
      case 'cut': case 'hold': case 'slow': await this.#strikeNetwork(fault, node!); break
      case 'pause': {
        const member = members.get(target)!
        member.signal('SIGSTOP')
        await last(durationMs)
        member.signal('SIGCONT')
        break
      }
      case 'clock': {
        const clock = clocks!.get(target)!
        clock.set(stepMs)
        await last(durationMs)
        clock.set(0)
        if (stepMs > 0) node!.hasSeenFuture = true
        break
      }
      default: {
        const member = members.get(target)!
        await member.down(mode === 'kill' ? 'SIGKILL' : 'SIGTERM')
        await last(durationMs)
        await member.up()
      }
    }
    return null
  }

  async #strikeNetwork ({ mode, durationMs, delayMs }: StoreFault, { links }: RedisNode): Promise<void> {
    for (const link of links) await link.set(mode as LinkMode, delayMs)
    await this.#options.last(durationMs)
    for (const link of links) await link.set('open')
  }

  async #fillMemory (durationMs: number): Promise<void> {
    const nodes = [...this.#options.store.nodes.values()]
    for (const { client } of nodes) await client.config('SET', 'maxmemory', NO_MEMORY)
    await this.#options.last(durationMs)
    for (const { client } of nodes) await client.config('SET', 'maxmemory', 0)
  }
}
