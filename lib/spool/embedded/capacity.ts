import { ApplicationBytes, fitsShare } from '../application-share.js'
import { ShareFullError, SpoolFullError } from '../spool.js'
import type { Disk } from './disk.js'

export interface CapacityOptions {
  maxBytes: number
  disk: Disk
  /** Whether there are several applications, so that each has a share. */
  isShared: () => boolean
  /** Bytes of the lines and of the idempotency keys that are stored now. */
  storedBytes: () => number
  /** Bytes of the lines stored now of an application. */
  heldBytes: (application: string) => number
  /** Bytes of the dead letters stored now. */
  deadLetterBytes: () => number
}

/**
 * Keeps the spool within its bytes and its disk, and each application within its share: a write reserves its bytes
 * until it is stored.
 */
export class Capacity {
  readonly #options: CapacityOptions
  /** Bytes of writes that are not stored yet. */
  #reservedBytes = 0
  readonly #reservedBytesOf = new ApplicationBytes()

  constructor (options: CapacityOptions) {
    this.#options = options
  }

  /**
   * @param application whose share the bytes count against; empty for none
   * @throws SpoolFullError when these bytes do not fit; a write without bytes always does
   */
  reserve (lineBytes: number, application = ''): void {
    if (lineBytes > 0) this.#check(lineBytes, application)
    this.#reservedBytes += lineBytes
    this.#reservedBytesOf.add(application, lineBytes)
  }

  release (lineBytes: number, application = ''): void {
    this.#reservedBytes -= lineBytes
    this.#reservedBytesOf.add(application, -lineBytes)
  }

  #check (lineBytes: number, application: string): void {
    const { maxBytes, disk, isShared, storedBytes, heldBytes, deadLetterBytes } = this.#options
    const bytes = storedBytes() + this.#reservedBytes
    if (bytes + lineBytes > maxBytes) throw new SpoolFullError(`the spool holds its maximum of ${maxBytes} bytes`)
    if (application !== '' && isShared()) {
      const held = heldBytes(application) + this.#reservedBytesOf.of(application)
      if (!fitsShare(held, lineBytes, bytes, maxBytes)) throw new ShareFullError(application)
    }
    const refusal = disk.refusal(bytes + lineBytes + deadLetterBytes())
    if (refusal !== null) throw new SpoolFullError(refusal)
  }
}
