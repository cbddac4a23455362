import type { Redis } from 'ioredis'
import { joinCluster, meet } from '../../shared/redis-cluster.js'
import { idOf, moveSlots, slotsOfMyself } from './move-slots.js'
import type { RedisNode } from './redis-node.js'
import {
  createNode, insist, isConfirmed, nodesOf, untilHealed, type Premises, type ReplicatedStore
} from './replicated-store.js'

const SLOTS = 16_384
const MASTERS = 3
const NODE_TIMEOUT_MS = 3_000
/** A failover by hand that has not ended by then was given up by the replica. */
const FAILOVER_MS = 6_000
/** Slots without keys that move with those that have some. */
const EMPTY_SLOTS = 50

/** A Redis Cluster of three masters with a replica each, which can be given a fourth and lose it again. */
export class ClusterStore implements ReplicatedStore {
  readonly nodes = new Map<string, RedisNode>()
  readonly sentinels = []
  readonly #premises: Premises
  readonly #signal: AbortSignal
  /** A master and its replica that the cluster did not begin with. */
  #added: RedisNode[] = []
  #number = 1

  private constructor (premises: Premises, signal: AbortSignal) {
    this.#premises = premises
    this.#signal = signal
  }

  /** @throws ProcessError */
  static async start (premises: Premises, signal: AbortSignal): Promise<ClusterStore> {
    const store = new ClusterStore(premises, signal)
    try {
      const nodes = await store.#addNodes(2 * MASTERS)
      await joinCluster(nodes.map(node => ({ client: node.client, ...addressOf(node) })), MASTERS)
      await untilHealed('a cluster', () => store.isWhole(), signal)
      return store
    } catch (error) {
      store.close()
      throw error
    }
  }

  /** Names the nodes that are there from the beginning to the end. */
  get url (): string {
    const first = [...this.nodes.values()].slice(0, 2 * MASTERS)
    return `redis://${first.map(node => `127.0.0.1:${addressOf(node).port}`).join(',')}`
  }

  async isWritable (): Promise<boolean> {
    const masters = await this.#masters()
    return masters.reduce((sum, { slots }) => sum + slots.length, 0) === SLOTS &&
      (await Promise.all(masters.map(({ node }) => isConfirmed(this, node)))).every(Boolean)
  }

  async isWhole (): Promise<boolean> {
    const views = await Promise.all([...this.nodes.values()].map(async node => {
      const view = await node.ask(nodesAs)
      return view === null ? null : viewOf(node.hasSeenFuture ? view.replaceAll(/,fail\??/g, '') : view)
    }))
    const [first, ...others] = views
    return first != null && others.every(view => view === first) && !/fail|handshake|noaddr|disconnected/.test(first) &&
      first.split('\n').length === this.nodes.size &&
      (await nodesOf(this, 'master')).length === this.nodes.size / 2 && await this.isWritable()
  }

  async failOver (master: RedisNode): Promise<void> {
    const id = await idOf(master)
    const replicas = await nodesOf(this, 'replica')
    const masterIds = await Promise.all(replicas.map(node => node.ask(masterIdOf)))
    const replica = replicas.find((_, i) => masterIds[i] === id)
    if (replica === undefined) throw new Error(`${master.name} has no replica`)
    let askedAt = -Infinity
    await untilHealed('failed over', async () => {
      if ((await replica.replication())?.role === 'master') return true
      if (performance.now() - askedAt < FAILOVER_MS) return false
      askedAt = performance.now()
      await replica.client.cluster('FAILOVER')
      return false
    }, this.#signal)
  }

  /**
   * Moves half of the slots with keys of a master to another one.
   * @param which picks the master
   * @returns what has moved, in words
   */
  async reshard (which: number): Promise<string> {
    const masters = await this.#masters()
    const withKeys = await Promise.all(masters.map(({ node, slots }) => slotsWithKeys(node, slots)))
    const sources = masters.filter((_, i) => withKeys[i]!.length > 0)
    const from = sources[which % sources.length]!
    const others = masters.filter(master => master !== from)
    const to = others[which % others.length]!
    const moved = withKeys[masters.indexOf(from)]!
    return await this.#move(moved.slice(0, Math.ceil(moved.length / 2)), from.node, to.node)
  }

  /**
   * Adds a master with its replica and gives it slots; or takes the slots from it again, and removes both.
   * @returns what was done, in words
   */
  async resize (): Promise<string> {
    return this.#added.length === 0 ? await this.#grow() : await this.#shrink()
  }

  close (): void {
    for (const node of this.nodes.values()) node.close()
  }

  async #grow (): Promise<string> {
    const [first] = await nodesOf(this, 'master')
    const masters = await this.#masters()
    const [master, replica] = await this.#addNodes(2) as [RedisNode, RedisNode]
    this.#added = [master, replica]
    for (const node of this.#added) await meet(first!.client, addressOf(node))
    const knowsAll = async ({ client }: RedisNode): Promise<boolean> => {
      const view = await client.cluster('NODES') as string
      return view.trim().split('\n').length === this.nodes.size && !view.includes('handshake')
    }
    await untilHealed('of one mind about the nodes', async () =>
      (await Promise.all([...this.nodes.values()].map(knowsAll))).every(Boolean), this.#signal)
    const id = await idOf(master)
    await insist(replica, client => client.cluster('REPLICATE', id), this.#signal)
    await untilHealed('replicated at its new master', () => isConfirmed(this, master), this.#signal)
    const moves: string[] = []
    for (const { node, slots } of masters) {
      const withKeys = await slotsWithKeys(node, slots)
      moves.push(await this.#move(withKeys.slice(0, Math.ceil(withKeys.length / 3)), node, master))
    }
    return `${master.name} and its replica ${replica.name} added; ${moves.join('; ')}`
  }

  async #shrink (): Promise<string> {
    const masters = await this.#masters()
    const leaving = masters.find(({ node }) => this.#added.includes(node))!
    const { node: heir } = masters.find(master => master !== leaving)!
    await moveSlots({
      slots: leaving.slots, from: leaving.node, to: heir, masters: masters.map(({ node }) => node), signal: this.#signal
    })
    const ids = await Promise.all(this.#added.map(idOf))
    const staying = [...this.nodes.values()].filter(node => !this.#added.includes(node))
    for (const node of staying) {
      for (const id of ids) await node.client.cluster('FORGET', id)
    }
    const names = this.#added.map(({ name }) => name)
    for (const node of this.#added) {
      this.nodes.delete(node.name)
      node.close()
      await node.member.close()
    }
    this.#added = []
    return `${names.join(' and ')} removed`
  }

  async #move (withKeys: number[], from: RedisNode, to: RedisNode): Promise<string> {
    const slots = [...withKeys, ...(await slotsOf(from)).filter(slot => !withKeys.includes(slot)).slice(-EMPTY_SLOTS)]
    const masters = await this.#masters()
    await moveSlots({ slots, from, to, masters: [...masters.map(({ node }) => node), to], signal: this.#signal })
    const empty = slots.length - withKeys.length
    return `${withKeys.length} slots with keys and ${empty} others from ${from.name} to ${to.name}`
  }

  async #addNodes (count: number): Promise<RedisNode[]> {
    const nodes: RedisNode[] = []
    for (let i = 0; i < count; i++) nodes.push(await this.#addNode())
    await Promise.all(nodes.map(node => node.member.up()))
    await untilHealed('up', async () => {
      const answers = await Promise.all(nodes.map(node => node.ask(client => client.ping())))
      return answers.every(answer => answer !== null)
    }, this.#signal)
    return nodes
  }

  async #addNode (): Promise<RedisNode> {
    const name = `redis-${this.#number++}`
    const busPort = await this.#premises.port()
    const bus = await this.#premises.link(`bus ${name}`, busPort)
    const node = await createNode({
      premises: this.#premises,
      name,
      links: [bus],
      args: linkPort => [
        '--cluster-enabled', 'yes', '--cluster-port', String(busPort),
        '--cluster-announce-ip', '127.0.0.1',
        '--cluster-announce-port', String(linkPort), '--cluster-announce-bus-port', String(bus.port),
        '--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--cluster-replica-validity-factor', '0',
        '--cluster-require-full-coverage', 'no', '--cluster-allow-replica-migration', 'no'
      ]
    })
    this.nodes.set(name, node)
    return node
  }

  /** The nodes that serve slots, with their slots. */
  async #masters (): Promise<Array<{ node: RedisNode, slots: number[] }>> {
    const masters = await nodesOf(this, 'master')
    const served = await Promise.all(masters.map(async node => ({ node, slots: await slotsOf(node) })))
    return served.filter(({ slots }) => slots.length > 0)
  }
}

function addressOf ({ links: [link, bus] }: RedisNode): { port: number, busPort: number } {
  return { port: link!.port, busPort: bus!.port }
}

async function nodesAs (client: Redis): Promise<string> {
  return await client.cluster('NODES') as string
}

async function masterIdOf (client: Redis): Promise<string | undefined> {
  return (await nodesAs(client)).split('\n').find(line => line.includes('myself'))?.split(' ')[3]
}

/** The nodes with their roles and slots, in the same words at every node that sees them so. */
function viewOf (nodes: string): string {
  return nodes.trim().split('\n').map(line => {
    const [id, , flags, master, , , , state, ...slots] = line.split(' ')
    return [id, flags!.replace('myself,', ''), master, state, ...slots.filter(slot => !slot.startsWith('['))].join(' ')
  }).sort().join('\n')
}

async function slotsOf (node: RedisNode): Promise<number[]> {
  const view = await node.ask(nodesAs)
  return view === null
    ? []
    : slotsOfMyself(view).flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
}

async function slotsWithKeys ({ client }: RedisNode, slots: number[]): Promise<number[]> {
  const counts = await client.pipeline(slots.map(slot => ['cluster', 'COUNTKEYSINSLOT', slot])).exec()
  return slots.filter((_, i) => Number(counts![i]![1]) > 0)
}
