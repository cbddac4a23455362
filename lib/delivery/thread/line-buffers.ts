/** Sizes are multiples of this, so that a buffer fits the next lease too. */
const STEP_BYTES = 256 * 1_024
/** About the lines of three full batches; a larger buffer goes back to the system. */
const MAX_KEPT_BYTES = 4 * 2 ** 20

/** Buffers in which leases cross to another thread, used again for one lease after the other. */
export class LineBuffers {
  #free: SharedArrayBuffer[] = []

  /** Nobody else has the buffer until it is given back; it still holds the bytes of the last lease. */
  take (bytes: number): SharedArrayBuffer {
    const last = this.#free.pop()
    return last !== undefined && last.byteLength >= bytes
      ? last
      : new SharedArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
  }

  give (buffer: SharedArrayBuffer): void {
    if (buffer.byteLength <= MAX_KEPT_BYTES) this.#free.push(buffer)
  }
}
