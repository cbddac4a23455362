/** An application may hold so many times the bytes that are free: two thirds of the spool when others hold nothing. */
const SHARE_OF_FREE = 2

/**
 * Whether an application of several may add these bytes to the spool. The more is stored, the less an application may
 * hold, so there is always room for an application that holds little.
 * @param heldBytes of the application
 * @param storedBytes of all
 */
export function fitsShare (heldBytes: number, bytes: number, storedBytes: number, maxBytes: number): boolean {
  return heldBytes + bytes <= SHARE_OF_FREE * (maxBytes - storedBytes - bytes)
}

/** Whether an application could hold more than its share, while this much is stored. */
export function isContested (storedBytes: number, maxBytes: number): boolean {
  return !fitsShare(storedBytes, 0, storedBytes, maxBytes)
}

/** Bytes by application; those that nobody is known to have sent are not counted. */
export class ApplicationBytes {
  readonly #bytes = new Map<string, number>()

  of (application: string): number {
    return this.#bytes.get(application) ?? 0
  }

  add (application: string, bytes: number): void {
    if (application === '') return
    const sum = this.of(application) + bytes
    if (sum === 0) this.#bytes.delete(application)
    else this.#bytes.set(application, sum)
  }
}
