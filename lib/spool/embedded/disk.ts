import { statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { monotonicNow } from '../../clock.js'
import type { MonotonicMs } from '../../../schemas/common.js'

/** Appends are refused with less than this left, as LMDB does not survive every write that a full disk refuses. */
export const LOW_BYTES = 64 * 2 ** 20
/** With less than this left appends do not even use the free pages of the file, as the file may grow all the same. */
const CRITICAL_BYTES = 16 * 2 ** 20
/** Stored bytes take up to this multiple in the file, as entries take whole pages. */
const PAGE_OVERHEAD = 2
const RECHECK_MS = 250

/** Bytes of a disk that the spool may come to need. */
export function neededBytes (maxStoredBytes: number): number {
  return maxStoredBytes * PAGE_OVERHEAD + LOW_BYTES
}

/** Watches how many bytes are left on the disk under the spool. */
export class Disk {
  readonly #dataDir: string
  readonly #free: (directory: string) => number
  #checkedAt: MonotonicMs = -Infinity
  #freeBytes = Infinity

  /** @param free bytes left on the disk of a directory */
  constructor (dataDir: string, free: (directory: string) => number = freeBytes) {
    this.#dataDir = dataDir
    this.#free = free
  }

  /** @returns why no more should be stored beside so many bytes; null when there is room */
  refusal (storedBytes: number): string | null {
    const now = monotonicNow()
    if (now - this.#checkedAt > RECHECK_MS) {
      this.#freeBytes = this.#free(this.#dataDir)
      this.#checkedAt = now
    }
    if (this.#freeBytes >= LOW_BYTES) return null
    // The file never shrinks: entries that were settled have left room in it.
    if (this.#freeBytes >= CRITICAL_BYTES && this.#fileBytes() >= neededBytes(storedBytes)) return null
    return `the disk under ${this.#dataDir} is full but for ${Math.floor(this.#freeBytes / 2 ** 20)} MB, which are ` +
      'left for deliveries'
  }

  #fileBytes (): number {
    return statSync(join(this.#dataDir, 'data.mdb')).size
  }
}

export function freeBytes (directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}
