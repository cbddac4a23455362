import type { UnixMs } from '../../../schemas/common.js'
import { slotsOfMyself } from './move-slots.js'
import type { RedisNode, Replication } from './redis-node.js'
import type { ReplicatedStore } from './replicated-store.js'

const EVERY_MS = 100

/** A replica has become a master, and what it had not received is gone. */
export interface Takeover {
  node: string
  /** The master before. */
  predecessor: string
  /**
   * What the predecessor had answered for by then the node has received, by the bytes that each of them has counted.
   */
  receivedUntil: UnixMs
  /** When the predecessor was seen as a replica, and took no more writes. */
  endedAt: UnixMs
  /** The slots that the node has taken over; null for all. */
  slots: Array<[first: number, last: number]> | null
}

/** What a node has said, and when it was asked. */
export interface Sample extends Replication {
  at: UnixMs
  slots: Takeover['slots']
}

/** Watches which node is a master, and how far each has got in the history of writes. */
export class TakeoverWatch {
  readonly #store: ReplicatedStore
  readonly #hasSlots: boolean
  readonly #samples = new Map<string, Sample[]>()
  readonly #asking = new Set<RedisNode>()
  #timer: NodeJS.Timeout | null = null

  /** @param hasSlots whether it is a Redis Cluster */
  constructor (store: ReplicatedStore, hasSlots: boolean) {
    this.#store = store
    this.#hasSlots = hasSlots
  }

  start (): void {
    this.#timer ??= setInterval(() => {
      for (const node of this.#store.nodes.values()) {
        if (this.#asking.has(node)) continue
        this.#asking.add(node)
        this.#sample(node).catch(() => {}).finally(() => this.#asking.delete(node))
      }
    }, EVERY_MS)
  }

  close (): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  takeovers (): Takeover[] {
    return findTakeovers(this.#samples)
  }

  async #sample (node: RedisNode): Promise<void> {
    const at = Date.now()
    const replication = await node.replication()
    if (replication === null) return
    const samples = this.#samples.get(node.name) ?? []
    this.#samples.set(node.name, samples)
    const slots = this.#hasSlots && isPromotion(replication, samples.at(-1)) ? await askSlots(node) : null
    samples.push({ ...replication, at, slots })
  }
}

/** @param history what each node has said, in the order of the times */
export function findTakeovers (history: ReadonlyMap<string, readonly Sample[]>): Takeover[] {
  return [...history].flatMap(([node, samples]) => samples.flatMap((sample, i) =>
    isPromotion(sample, samples[i - 1]) ? takeoversBy(node, sample, history) : []))
}

function takeoversBy (
  node: string, { at, formerHistory, formerOffset, slots }: Sample, history: ReadonlyMap<string, readonly Sample[]>
): Takeover[] {
  return [...history].flatMap(([predecessor, samples]) => {
    const former = samples.filter(sample => sample.role === 'master' && sample.history === formerHistory)
    if (predecessor === node || former.length === 0) return []
    const received = former.findLast(({ offset }) => offset <= formerOffset) ?? former[0]!
    const demoted = samples.find(sample => sample.at >= at && sample.role === 'replica')
    return { node, predecessor, receivedUntil: received.at, endedAt: demoted?.at ?? at, slots }
  })
}

function isPromotion ({ role }: Replication, before: Sample | undefined): boolean {
  return role === 'master' && before?.role === 'replica'
}

async function askSlots (node: RedisNode): Promise<Takeover['slots']> {
  const view = await node.ask(client => client.cluster('NODES'))
  return view === null ? null : slotsOfMyself(String(view))
}
