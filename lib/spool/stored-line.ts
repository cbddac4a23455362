import type { UnixMs } from '../../schemas/common.js'
import type { LeasedRecord } from './spool.js'

/**
 * A record whose line lies in a buffer with other lines. The string is made at each reading: a line is read once, as a
 * rule by another thread.
 */
export class StoredLine implements LeasedRecord {
  readonly text: Buffer
  readonly start: number
  readonly end: number
  readonly items: number
  readonly bytes: number
  readonly appendedAt: UnixMs

  /** @param text UTF-8, not to be changed any more, in which the line lies between `start` and `end` */
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
