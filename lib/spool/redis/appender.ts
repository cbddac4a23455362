import { randomUUID } from 'node:crypto'
import { createAppendCommit, type SizedOp } from '../append-commit.js'
import type { BatchLimits } from '../batch-limits.js'
import { encodeEntry, packEntries, type PackedEntry } from '../entry-codec.js'
import type { GroupCommit, Pending } from '../group-commit.js'
import { KEY_TTL_MS } from '../key-limits.js'
import { queueName } from '../queue-name.js'
import type { Append, SpoolRecord } from '../spool.js'
import type { Capacity } from './capacity.js'
import type { Durability } from './checks.js'
import type { Argument } from './commands.js'
import type { Connection } from './connection.js'
import { runDurably } from './run-durably.js'

/** One call of the script takes this much at most, so that it does not hold the server for long. */
const MAX_FLUSH_OPS = 1_000
const MAX_FLUSH_BYTES = 4 * 2 ** 20

export interface AppenderOptions {
  connection: Connection
  /** Base name of the kind and shard. */
  base: string
  /** Where the script tells what is due, and the name of the shard there. */
  tells: [channel: string, shard: string]
  lingerMs: number
  limits: BatchLimits
  maxBytes: number
  durability: Durability
  capacity: Capacity
}

interface Op extends SizedOp {
  append: Append
  /**
   * Stored with the append; an append whose mark is stored already stores nothing. Null for one that may be repeated.
   */
  mark: string | null
}

/** False: the mark of the append was stored before. */
type Stored = boolean

type PendingAppend = Pending<Op, Stored>

/** One append of the script: an append with a mark, or several appends to one queue without. */
interface Operation {
  members: PendingAppend[]
  destination: string
  application: string
  records: SpoolRecord[]
  urgent: boolean
  lineBytes: number
}

/** Sends the appends of one kind and shard to Redis, the appends of one moment in one call. */
export class Appender {
  readonly #options: AppenderOptions
  readonly #commits: GroupCommit<Op, Stored>

  constructor (options: AppenderOptions) {
    this.#options = options
    this.#commits = createAppendCommit(group => this.#flush(group), MAX_FLUSH_OPS, MAX_FLUSH_BYTES)
  }

  /** @returns whether it was stored; false when its mark was stored before */
  append (append: Append, lineBytes: number, mark: string | null): Promise<Stored> {
    return this.#commits.push({ append, lineBytes, mark })
  }

  /** Forgets marks of appends that nobody will repeat. @throws SpoolUnavailableError */
  async forget (marks: string[]): Promise<void> {
    const { connection, base } = this.#options
    await connection.run(client => client.del(marks.map(mark => `${base}:k:${mark}`)))
  }

  idle (): Promise<void> {
    return this.#commits.idle()
  }

  async #flush (group: PendingAppend[]): Promise<void> {
    const { connection, base, tells, lingerMs, limits, maxBytes, durability, capacity } = this.#options
    const operations = toOperations(group)
    const args = [
      randomUUID(), lingerMs, limits.items, limits.bytes, maxBytes, ...tells,
      ...operations.flatMap(operation => toArguments(operation, limits))
    ]
    const results = await connection.run(
      client => runDurably<string[]>(client, durability, 'postmanAppend', base, args), group[0]!.pushedAt
    )
    capacity.report(base, Number(results.at(-1)))
    operations.forEach((operation, i) => this.#answer(operation, results[i]!))
  }

  #answer ({ members }: Operation, result: string): void {
    for (const { resolve, reject } of members) {
      if (result === '!') reject(this.#options.capacity.error())
      else resolve(result === '')
    }
  }
}

function toOperations (group: PendingAppend[]): Operation[] {
  const operations: Operation[] = []
  const shared = new Map<string, Operation>()
  for (const member of group) {
    const { append: { destination, application = '', records, urgent = false }, lineBytes, mark } = member.op
    const queue = queueName(destination, application)
    const known = mark === null ? shared.get(queue) : undefined
    if (known !== undefined) {
      known.members.push(member)
      known.records.push(...records)
      known.urgent ||= urgent
      known.lineBytes += lineBytes
      continue
    }
    const operation = { members: [member], destination, application, records: [...records], urgent, lineBytes }
    operations.push(operation)
    if (mark === null) shared.set(queue, operation)
  }
  return operations
}

function toArguments (
  { members, destination, application, records, urgent, lineBytes }: Operation, limits: BatchLimits
): Argument[] {
  const entries = packEntries(records, limits)
  const { mark } = members[0]!.op
  return [
    destination, application, urgent ? 1 : 0, mark ?? '', '', KEY_TTL_MS / 1_000, lineBytes,
    entries.length, ...entryArguments(entries)
  ]
}

/** For each entry: "records items bytes lineBytes", value. */
export function entryArguments (entries: PackedEntry[]): Argument[] {
  return entries.map(encodeEntry).flatMap(({ records, items, bytes, lineBytes, value }) =>
    [`${records} ${items} ${bytes} ${lineBytes}`, value])
}
