import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSentinelProcess } from '../../shared/redis-sentinels.js'
import { RedisNode } from './redis-node.js'
import {
  createNode, insist, isConfirmed, nodesOf, untilHealed, type Premises, type ReplicatedStore
} from './replicated-store.js'

const MASTER = 'main'
/** With a second replica, one could confirm what an old master takes when the other has already replaced it. */
const NODES = 2
const SENTINELS = 3
const QUORUM = 2
const DOWN_AFTER_MS = 3_000
const FAILOVER_TIMEOUT_MS = 10_000

/** A master with a replica, and three Sentinels that watch them. */
export class SentinelStore implements ReplicatedStore {
  readonly nodes = new Map<string, RedisNode>()
  readonly #sentinels: RedisNode[] = []
  readonly #premises: Premises
  readonly #signal: AbortSignal

  private constructor (premises: Premises, signal: AbortSignal) {
    this.#premises = premises
    this.#signal = signal
  }

  /** @throws ProcessError */
  static async start (premises: Premises, signal: AbortSignal): Promise<SentinelStore> {
    const store = new SentinelStore(premises, signal)
    try {
      for (let i = 1; i <= NODES; i++) await store.#addNode(`redis-${i}`)
      for (let i = 1; i <= SENTINELS; i++) await store.#addSentinel(`sentinel-${i}`)
      await Promise.all([...store.nodes.values(), ...store.#sentinels].map(({ member }) => member.up()))
      await untilHealed('watched', () => store.isWhole(), signal)
      return store
    } catch (error) {
      store.close()
      throw error
    }
  }

  get url (): string {
    return `redis+sentinel://${this.#sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${MASTER}`
  }

  get sentinels (): string[] {
    return this.#sentinels.map(({ name }) => name)
  }

  async isWritable (): Promise<boolean> {
    const ports = (await this.#masterPorts()).filter(port => port !== null)
    const master = [...this.nodes.values()].find(({ links }) => links[0]!.port === ports[0])
    const isAgreed = ports.length >= QUORUM && new Set(ports).size === 1
    return isAgreed && master !== undefined && await isConfirmed(this, master)
  }

  async isWhole (): Promise<boolean> {
    if ((await this.#masterPorts()).includes(null) || !await this.isWritable()) return false
    const [masters, replicas] = [await nodesOf(this, 'master'), await nodesOf(this, 'replica')]
    const following = await Promise.all(replicas.map(async node => (await node.replication())?.isLinked === true))
    const seen = await Promise.all(this.#sentinels.map(sentinel => this.#seesAll(sentinel)))
    return masters.length === 1 && following.length === NODES - 1 && [...following, ...seen].every(Boolean)
  }

  async failOver (master: RedisNode): Promise<void> {
    const [asked] = this.#sentinels as [RedisNode]
    await insist(asked, client => client.call('SENTINEL', 'FAILOVER', MASTER), this.#signal)
    const before = master.links[0]!.port
    await untilHealed('failed over', async () =>
      (await this.#masterPorts()).every(port => port !== null && port !== before), this.#signal)
  }

  close (): void {
    for (const node of [...this.nodes.values(), ...this.#sentinels]) node.close()
  }

  /** Where each Sentinel says that the master is; null for one that does not answer. */
  async #masterPorts (): Promise<Array<number | null>> {
    return await Promise.all(this.#sentinels.map(async sentinel => {
      const address = await sentinel.ask(client => client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER))
      return address === null ? null : Number((address as string[])[1])
    }))
  }

  /** Whether the Sentinel knows the others and the replica, and finds nothing wrong with them. */
  async #seesAll (sentinel: RedisNode): Promise<boolean> {
    const [others, replicas] = await Promise.all(['SENTINELS', 'REPLICAS'].map(async what =>
      await sentinel.ask(client => client.call('SENTINEL', what, MASTER)) as string[][] | null))
    const isSound = (server: string[]): boolean => !/down|disconnected/.test(server[server.indexOf('flags') + 1]!)
    return others?.length === SENTINELS - 1 && replicas?.length === NODES - 1 && [...others, ...replicas].every(isSound)
  }

  async #addNode (name: string): Promise<void> {
    const configFile = join(this.#premises.folder(name), 'redis.conf')
    const [first] = this.nodes.values()
    writeFileSync(configFile, first === undefined ? '' : `replicaof 127.0.0.1 ${first.links[0]!.port}\n`)
    this.nodes.set(name, await createNode({
      premises: this.#premises,
      name,
      configFile,
      args: linkPort => ['--replica-announce-ip', '127.0.0.1', '--replica-announce-port', String(linkPort)]
    }))
  }

  async #addSentinel (name: string): Promise<void> {
    const port = await this.#premises.port()
    const [master] = this.nodes.values()
    const folder = this.#premises.folder(name)
    const configFile = join(folder, 'sentinel.conf')
    writeFileSync(configFile, [
      `port ${port}`, 'bind 127.0.0.1', `dir ${folder}`,
      `sentinel monitor ${MASTER} 127.0.0.1 ${master!.links[0]!.port} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER} ${FAILOVER_TIMEOUT_MS}`, ''
    ].join('\n'))
    const member = this.#premises.member(name, onOutput => startSentinelProcess(port, configFile, onOutput))
    this.#sentinels.push(new RedisNode({ name, member, port, links: [] }))
  }
}
