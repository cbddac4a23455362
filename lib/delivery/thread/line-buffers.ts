const STEP_BYTES = 256 * 1_024
/** About the lines of three full batches; more is given back to the system. */
const MAX_KEPT_BYTES = 4 * 2 ** 20

/**
 * Buffers in which leases cross to another thread, one after the other: a new one for each, of more than a megabyte,
 * costs both threads more than what they do with it.
 */
export class LineBuffers {
  #free: SharedArrayBuffer[] = []

  /** Nobody else has it until it is given back; what it holds is what was left in it. */
  take (bytes: number): SharedArrayBuffer {
    const last = this.#free.pop()
    return last !== undefined && last.byteLength >= bytes ? last : new SharedArrayBuffer(Math.ceil(bytes / STEP_BYTES) * STEP_BYTES)
  }

  give (buffer: SharedArrayBuffer): void {
    if (buffer.byteLength <= MAX_KEPT_BYTES) this.#free.push(buffer)
  }
}
