import { SpoolFullError } from '../spool.js'
import type { Disk } from './disk.js'

export interface CapacityOptions {
  maxBytes: number
  disk: Disk
  /** Bytes of the lines stored now, and of what is kept for idempotency keys. */
  storedBytes: () => number
  /** Bytes of the dead letters stored now. */
  deadLetterBytes: () => number
}

/** Keeps the spool within its bytes and its disk: a write reserves its bytes until it is stored. */
export class Capacity {
  readonly #options: CapacityOptions
  /** Bytes of writes that are not stored yet. */
  #reservedBytes = 0

  constructor (options: CapacityOptions) {
    this.#options = options
  }

  /** @throws SpoolFullError when these bytes do not fit; a write without bytes always does */
  reserve (lineBytes: number): void {
    if (lineBytes > 0) this.#check(this.#options.storedBytes() + this.#reservedBytes + lineBytes)
    this.#reservedBytes += lineBytes
  }

  release (lineBytes: number): void {
    this.#reservedBytes -= lineBytes
  }

  #check (bytes: number): void {
    const { maxBytes, disk, deadLetterBytes } = this.#options
    if (bytes > maxBytes) throw new SpoolFullError(`the spool holds its maximum of ${maxBytes} bytes`)
    const refusal = disk.refusal(bytes + deadLetterBytes())
    if (refusal !== null) throw new SpoolFullError(refusal)
  }
}
