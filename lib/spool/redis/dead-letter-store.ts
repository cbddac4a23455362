import { randomBytes } from 'node:crypto'
import type { BatchLimits } from '../batch-limits.js'
import { packEntries } from '../entry-codec.js'
import type { DeadLetterStore } from '../dead-letters.js'
import { SpoolFullError, type DeadLetter } from '../spool.js'
import { KINDS, type Kind } from '../../../schemas/kinds.js'
import { entryArguments } from './appender.js'
import { keysOf } from './commands.js'
import type { Connection } from './connection.js'
import type { Keys } from './keys.js'

export interface RedisDeadLetterStoreOptions {
  connection: Connection
  keys: Keys
  lingerMs: number
  limits: Record<Kind, BatchLimits>
  maxBytes: number
}

export function createRedisDeadLetterStore (
  { connection, keys, lingerMs, limits, maxBytes }: RedisDeadLetterStoreOptions
): DeadLetterStore {
  async function read (base: string, ids: string[]): Promise<DeadLetter[]> {
    if (ids.length === 0) return []
    const stored = await connection.run(client => client.hmget(`${base}:dl`, ...ids))
    return stored.filter(json => json !== null).map(json => JSON.parse(json) as DeadLetter)
  }

  /** Null when the id is not that of a dead letter. */
  function baseOf (id: string): string | null {
    const [, kind, shard] = /-([a-z]+)-(\d+)$/.exec(id) ?? []
    return KINDS.some(each => each === kind) ? keys.base(kind as Kind, Number(shard)) : null
  }

  return {
    async page (after, limit) {
      const from = after === null ? '-' : `(${after}`
      const pages = await Promise.all(keys.all().map(async base => {
        const ids = await connection.run(client => client.zrangebylex(`${base}:dlids`, from, '+', 'LIMIT', 0, limit))
        return read(base, ids)
      }))
      return pages.flat().sort((a, b) => a.id < b.id ? -1 : 1).slice(0, limit)
    },

    async get (id) {
      const base = baseOf(id)
      return base === null ? null : (await read(base, [id]))[0] ?? null
    },

    async redrive ({ id, kind, destination, application = '', line, items, bytes }) {
      const lineBytes = Buffer.byteLength(line)
      const base = baseOf(id)!
      const redriven = await connection.run(client => client.postmanRedrive(
        ...keysOf(base), id, destination, application, items, lineBytes, lingerMs, maxBytes,
        ...entryArguments(packEntries([{ line, items, bytes }], limits[kind])), ...keys.tells(base)
      ))
      if (redriven === -1) throw new SpoolFullError(`the spool holds its maximum of ${maxBytes} bytes`)
      return redriven === 1
    },

    async remove ({ id, items, line }, evicted) {
      const removed = await connection.run(client =>
        client.postmanRemoveDeadLetter(...keysOf(baseOf(id)!), evicted ? 1 : 0, id, items, Buffer.byteLength(line)))
      return removed === 1
    },

    async size () {
      const counted = await Promise.all(keys.all().map(base =>
        connection.run(client => client.hmget(`${base}:counters`, 'letters', 'letterBytes'))))
      const sum = (index: number): number => counted.reduce((total, counts) => total + Number(counts[index] ?? 0), 0)
      return { count: sum(0), bytes: sum(1) }
    }
  }
}

/** Tells the dead letters of several processes apart. */
const PROCESS = randomBytes(6).toString('hex')
let sequence = 0

/**
 * The rest of an id behind its time, by which ids sort and which the server gives. It names the kind and shard of the
 * dead letter.
 */
export function deadLetterIdRest (base: string): string {
  const [kind, shard] = base.slice(0, -1).split(':').slice(-2)
  return `-${String(sequence++).padStart(8, '0')}-${PROCESS}-${kind}-${shard}`
}
