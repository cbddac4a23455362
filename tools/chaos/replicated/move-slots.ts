import type { RedisNode } from './redis-node.js'
import { insist } from './replicated-store.js'

/** So few that scripts meet slots of which a part has moved. */
const KEYS_AT_A_TIME = 5
const MIGRATE_TIMEOUT_MS = 5_000

export interface SlotMove {
  slots: number[]
  from: RedisNode
  to: RedisNode
  /** All of them, so that each learns of it at once. */
  masters: RedisNode[]
  signal: AbortSignal
}

/** Moves slots of a Redis Cluster with their keys, as `redis-cli --cluster reshard` does. */
export async function moveSlots ({ slots, from, to, masters, signal }: SlotMove): Promise<void> {
  const [fromId, toId] = [await idOf(from), await idOf(to)]
  const call = async (node: RedisNode, ...command: [string, ...Array<string | number>]): Promise<unknown> =>
    await insist(node, client => client.call(...command), signal)
  for (const slot of slots) {
    await call(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
    await call(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
    for (;;) {
      const keys = await call(from, 'CLUSTER', 'GETKEYSINSLOT', slot, KEYS_AT_A_TIME) as string[]
      if (keys.length === 0) break
      // A key that is there already is one of a call that was repeated.
      await call(from, 'MIGRATE', '127.0.0.1', to.port, '', 0, MIGRATE_TIMEOUT_MS, 'REPLACE', 'KEYS', ...keys)
    }
    // The new node first, or for a moment the slot would be nobody's.
    const others = masters.filter(node => node !== to && node !== from)
    for (const node of [to, from, ...others]) await call(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }
}

export async function idOf (node: RedisNode): Promise<string> {
  return await node.client.cluster('MYID') as string
}

/** The slots of a node, of those that it serves itself, as ranges. */
export function slotsOfMyself (nodes: string): Array<[first: number, last: number]> {
  const line = nodes.split('\n').find(line => line.split(' ')[2]?.includes('myself')) ?? ''
  return line.split(' ').slice(8).filter(text => /^\d/.test(text)).map(text => {
    const [first, last = first] = text.split('-').map(Number)
    return [first!, last!]
  })
}
