import { open, type Database, type Key, type RootDatabase } from 'lmdb'
import type { UnixMs } from '../../../schemas/common.js'
import { SpoolConfigurationError, SpoolFullError, SpoolUnavailableError, type SpoolSync } from '../spool.js'
import { addChecksum, describeBytes, removeChecksum } from './checksum.js'
import type { StoredEntry } from './destination.js'
import type { KeyedAnswer } from './frame.js'

/** Each stored entry takes whole pages, so the file may grow to a multiple of the bytes stored. */
const MAP_SIZE_FACTOR = 4
const MIN_MAP_SIZE = 256 * 2 ** 20

/** Error codes of a full disk: LMDB's own, ENOSPC, EFBIG, EDQUOT. */
const FULL_CODES = new Set([-30792, 28, 27, 122])
const FULL_MESSAGE = /no space|too large|quota|MAP_FULL/i

/** `[destination id, sequence, records, items, bytes, lineBytes, appendedAt]`: all that the scheduler has to know. */
type EntryKey = [number, number, number, number, number, number, number]

/** Puts and removals that become durable in one transaction. */
export interface Writes {
  put (table: Database, key: Key, value: string | Buffer): void
  remove (table: Database, key: Key): void
  putEntry (destinationId: number, entry: StoredEntry, values: Buffer[]): void
  removeEntry (destinationId: number, entry: StoredEntry): void
}

/**
 * The tables of the embedded spool in one LMDB environment.
 *
 * A commit that has resolved survives the end of the process. Every commit is synced to the disk, while the next writes
 * gather; a power cut takes the file back to the last commit that had reached the disk.
 */
export class Tables {
  /** Destination id → `[kind, queue]`. */
  readonly names: Database<string, number>
  /** The ledger and the youngest frame of the journal, under the keys of write-batch.ts. */
  readonly state: Database<string, string>
  /** Dead letter id → JSON of the dead letter. */
  readonly deadLetters: Database<string, string>
  /** Idempotency key → `[expiresAt, answer, digest, application]`; earlier versions stored the first two. */
  readonly idempotency: Database<string, string>
  /** `[expiresAt, key]` → `[application, bytes]`; earlier versions stored ''. */
  readonly idempotencyExpiry: Database<string, [number, string]>
  /** `[application, expiresAt, key]` → ''. */
  readonly idempotencyByApplication: Database<string, [string, number, string]>
  /** StoredEntry key → checksum and value. */
  readonly #entries: Database<Buffer, Key>
  /** The same table without decompression, for values that are damaged. */
  readonly #rawEntries: Database<Buffer, Key>
  readonly #root: RootDatabase
  readonly #dataDir: string
  readonly #sync: SpoolSync
  readonly #writes: Writes = {
    put: (table, key, value) => table.put(key, value),
    remove: (table, key) => table.remove(key),
    putEntry: (destinationId, entry, values) => this.#entries.put(entryKey(destinationId, entry), addChecksum(values)),
    removeEntry: (destinationId, entry) => this.#entries.remove(entryKey(destinationId, entry))
  }

  constructor (dataDir: string, maxBytes: number, sync: SpoolSync) {
    this.#dataDir = dataDir
    this.#sync = sync
    const mapSize = Math.max(MIN_MAP_SIZE, maxBytes * MAP_SIZE_FACTOR)
    try {
      // Batching by event turn would leave a promise that nobody can await when a commit fails.
      this.#root = open({ path: dataDir, noSubdir: false, mapSize, eventTurnBatching: false })
      // Pages of the file that were read stay mapped and count as memory, so the backlog of an outage is compressed.
      this.#entries = this.#root.openDB('entries', { encoding: 'binary', compression: true })
      this.#rawEntries = this.#root.openDB('entries', { encoding: 'binary' })
      this.names = this.#root.openDB('names', { encoding: 'string' })
      this.state = this.#root.openDB('state', { encoding: 'string' })
      this.deadLetters = this.#root.openDB('deadLetters', { encoding: 'string' })
      this.idempotency = this.#root.openDB('idempotency', { encoding: 'string' })
      this.idempotencyExpiry = this.#root.openDB('idempotencyExpiry', { encoding: 'string' })
      this.idempotencyByApplication = this.#root.openDB('idempotencyByApplication', { encoding: 'string' })
    } catch (error) {
      throw new SpoolConfigurationError(
        `cannot open the spool in ${dataDir} (DATA_DIR): ${(error as Error).message}`, { cause: error }
      )
    }
  }

  /**
   * Runs `build` and makes its writes durable, all or none.
   * @throws SpoolFullError when the disk is full
   * @throws SpoolUnavailableError when it fails otherwise
   */
  async commit (build: (writes: Writes) => void): Promise<void> {
    try {
      await this.#root.batch(() => build(this.#writes))
      if (this.#sync === 'always') await this.#root.flushed
    } catch (error) {
      const { commitError } = error as Error & { commitError?: Promise<unknown> }
      throw writeError(
        this.#dataDir, await Promise.resolve(commitError).then(() => error as Error, (reason: Error) => reason)
      )
    }
  }

  /** Entries of a destination with a sequence greater than `after` and up to `last`, oldest first. */
  * readEntries (destinationId: number, after: number, last: number): Generator<{ entry: StoredEntry, value: Buffer }> {
    for (
      const { key, value } of this.#entries.getRange({
        start: [destinationId, after, Infinity], end: [destinationId, last, Infinity]
      })
    ) {
      yield { entry: toEntry(key as EntryKey), value: this.#valueOf(key, value) }
    }
  }

  /** The first entry that `readEntries` gives. */
  firstEntry (destinationId: number, after: number, last: number): StoredEntry | undefined {
    const keys = this.#entries.getKeys({
      start: [destinationId, after, Infinity], end: [destinationId, last, Infinity], limit: 1
    })
    const [key] = Array.from(keys)
    return key === undefined ? undefined : toEntry(key as EntryKey)
  }

  readEntry (destinationId: number, entry: StoredEntry): Buffer {
    const key = entryKey(destinationId, entry)
    const value = this.#entries.get(key)
    return value === undefined ? Buffer.alloc(0) : this.#valueOf(key, value)
  }

  /** The answer that is kept for an idempotency key, unless it has expired. */
  answer (key: string, now: UnixMs): KeyedAnswer | undefined {
    const stored = this.idempotency.get(key)
    if (stored === undefined) return undefined
    const [expiresAt, answer, digest, application] = JSON.parse(stored) as [UnixMs, string, string, string]
    return expiresAt > now ? [key, expiresAt, answer, digest, application] : undefined
  }

  #valueOf (key: Key, checked: Buffer): Buffer {
    return removeChecksum(checked) ?? Buffer.from(describeBytes(this.#rawEntries.get(key)!))
  }

  /** The keys of all stored entries. */
  * scanEntries (): Generator<{ destinationId: number, entry: StoredEntry }> {
    for (const key of this.#entries.getKeys()) {
      yield { destinationId: (key as EntryKey)[0], entry: toEntry(key as EntryKey) }
    }
  }

  async close (): Promise<void> {
    await this.#root.flushed
    await this.#root.close()
  }
}

/** A failed write to the directory as an error of the contract. */
export function writeError (dataDir: string, cause: Error & { code?: number | string }): Error {
  return FULL_CODES.has(cause.code as number) || FULL_MESSAGE.test(cause.message)
    ? new SpoolFullError(`the disk under ${dataDir} takes no more: ${cause.message}`, { cause })
    : new SpoolUnavailableError(`cannot write to the spool in ${dataDir}: ${cause.message}`, { cause })
}

function entryKey (
  destinationId: number, { seq, records, items, bytes, lineBytes, appendedAt }: StoredEntry
): EntryKey {
  return [destinationId, seq, records, items, bytes, lineBytes, appendedAt]
}

function toEntry ([, seq, records, items, bytes, lineBytes, appendedAt]: EntryKey): StoredEntry {
  return { seq, records, items, bytes, lineBytes, appendedAt }
}
