import type { LeasedRecord } from './spool.js'

/**
 * A record whose line lies among others in one buffer. The string is made when it is asked for, and not kept: most
 * lines are asked for once, in another thread, and a lease of strings would cost V8 more than what is done with it.
 */
export class StoredLine implements LeasedRecord {
  readonly text: Buffer
  readonly start: number
  readonly end: number
  readonly items: number
  readonly bytes: number
  readonly appendedAt: number

  /** @param text UTF-8, not to be changed any more; the line is what lies between `start` and `end` */
  constructor (text: Buffer, start: number, end: number, sizes: Pick<LeasedRecord, 'items' | 'bytes' | 'appendedAt'>) {
    this.text = text
    this.start = start
    this.end = end
    this.items = sizes.items
    this.bytes = sizes.bytes
    this.appendedAt = sizes.appendedAt
  }

  get line (): string {
    return this.text.toString('utf8', this.start, this.end)
  }

  /** Bytes of the line in UTF-8. */
  get lineBytes (): number {
    return this.end - this.start
  }

  /** Writes the line in UTF-8. @returns bytes written */
  copyLine (target: Buffer, at: number): number {
    return this.text.copy(target, at, this.start, this.end)
  }
}
