import { answerWithin } from '../../redis/ask.js'
import { masterNameOf, nameOf } from '../../redis/master-name.js'
import { mastersOf } from '../../redis/redis-client.js'
import { KINDS } from '../../../schemas/kinds.js'
import { checkDurability, type Durability } from './checks.js'
import { keysOf } from './commands.js'
import { toSpoolError, type Connection } from './connection.js'
import type { Keys } from './keys.js'

/** Shorter than readiness waits, so that a master that hangs does not hide the answers of the others. */
const WITHIN_MS = 1_200

export interface ProbeOptions {
  connection: Connection
  durability: Durability
  keys: Keys
  /** The base names of the shards of idempotency keys. */
  requestKeyBases: readonly string[]
}

/**
 * Has every shard look whether it takes what appends write, which leaves nothing behind.
 * @returns for each master that takes nothing of some shards, while others take records of every kind: which, and why
 * @throws SpoolUnavailableError, SpoolFullError when no shard takes the records of a kind, or idempotency keys
 */
export async function probeShards (options: ProbeOptions): Promise<string[]> {
  const { keys, requestKeyBases } = options
  const groups = [...KINDS.map(kind => keys.all(kind)), requestKeyBases]
  const faults = await findFaults(options, groups.flat())
  for (const bases of groups) {
    const [fault, ...others] = bases.flatMap(base => faults.get(base) ?? [])
    if (fault !== undefined && others.length === bases.length - 1) throw fault
  }
  return describe(options, faults)
}

/** The base names of the shards that take nothing, in the order that was given, and why. */
async function findFaults ({ connection, durability }: ProbeOptions, bases: string[]): Promise<Map<string, Error>> {
  const confirming = new Map(mastersOf(connection.client).map(redis =>
    [nameOf(redis), checkDurability(connection, redis, durability)]))
  // Each is asked for below, by the shards of its master.
  for (const confirmed of confirming.values()) confirmed.catch(() => {})
  const faults = await Promise.all(bases.map(async base => {
    try {
      await answerWithin(WITHIN_MS, Promise.all([
        connection.run(client => client.postmanProbe(...keysOf(base))),
        confirming.get(masterNameOf(connection.client, base))
      ]))
      return []
    } catch (error) {
      return [[base, toSpoolError(error as Error)] as const]
    }
  }))
  return new Map(faults.flat())
}

function describe ({ connection }: ProbeOptions, faults: ReadonlyMap<string, Error>): string[] {
  const byMaster = new Map<string, Array<[shard: string, error: Error]>>()
  for (const [base, error] of faults) {
    const master = masterNameOf(connection.client, base)
    const shard = base.slice(1, -1).split(':').slice(-2).join(':')
    byMaster.set(master, [...byMaster.get(master) ?? [], [shard, error]])
  }
  return Array.from(byMaster, ([master, shards]) =>
    `${master} takes nothing of ${shards.map(([shard]) => shard).join(', ')}: ${shards[0]![1].message}`)
}
