import { PUT_LOG_EVENTS as LIMIT } from '../../../../schemas/aws-limits.js'
import type { StoredLogEvent } from '../../../items/item.js'
import type { LeasedRecord } from '../../../spool/spool.js'
import { StoredLine } from '../../../spool/stored-line.js'
import { ADDED_BYTES, LogRecordScanner } from './log-record-scanner.js'

const INITIAL_BYTES = 64 * 1_024

/**
 * The log events of one lease, each as the JSON that PutLogEvents is sent, one behind the other in one buffer. They are
 * written once and copied into a call: kept as objects, ten thousand of them, until their call is through, they would
 * cost V8 more in garbage collection than all else that a delivery does. So would new buffers for each lease, which is
 * why one of these serves one after the other.
 */
export class LogEventTexts {
  #text: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #body: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #end = 0
  #size = 0
  readonly #scanner = new LogRecordScanner((timestamp, messageBytes, end) => this.#note(timestamp, messageBytes, end))
  #timestamps = new Float64Array(LIMIT.MAX_EVENTS)
  #counted = new Uint32Array(LIMIT.MAX_EVENTS)
  #ends = new Uint32Array(LIMIT.MAX_EVENTS)

  get size (): number {
    return this.#size
  }

  clear (): void {
    this.#end = 0
    this.#size = 0
  }

  /** Its index is the number of those before it. */
  add ([timestamp, message]: StoredLogEvent): void {
    const json = `{"message":${JSON.stringify(message)},"timestamp":${timestamp}},`
    this.#text = withRoom(this.#text, this.#end, Buffer.byteLength(json))
    this.#end += this.#text.write(json, this.#end)
    this.#note(timestamp, Buffer.byteLength(message), this.#end)
  }

  /** Adds the events of a record as they are stored. @returns false, having added none, when they have to be decoded */
  addStored (record: LeasedRecord): boolean {
    // No event is so short: whoever wrote this number of items must not say how much room to make.
    if (!(record instanceof StoredLine) || record.items > record.lineBytes) return false
    this.#text = withRoom(this.#text, this.#end, record.lineBytes + record.items * ADDED_BYTES)
    const before = this.#size
    const added = this.#scanner.scan(record, this.#text, this.#end)
    if (!added) this.#size = before
    this.#end = this.#start(this.#size)
    return added
  }

  /** Unix milliseconds. */
  timestamp (index: number): number {
    return this.#timestamps[index]!
  }

  /** Bytes that it counts against the limit of PutLogEvents. */
  bytes (index: number): number {
    return this.#counted[index]!
  }

  /**
   * `head`, a JSON array of these events, at least one, and `tail`.
   * @returns what the next call writes over
   */
  write (head: string, indexes: readonly number[], tail: string): Buffer {
    let size = Buffer.byteLength(head) + Buffer.byteLength(tail) + 1
    for (const index of indexes) size += this.#ends[index]! - this.#start(index)
    const body = this.#body = withRoom(this.#body, 0, size)
    let at = body.write(`${head}[`)
    for (let i = 0; i < indexes.length; i++) {
      const first = indexes[i]!
      while (indexes[i + 1] === indexes[i]! + 1) i++
      at += this.#text.copy(body, at, this.#start(first), this.#ends[indexes[i]!]!)
    }
    // In place of the last comma.
    at += body.write(`]${tail}`, at - 1) - 1
    return body.subarray(0, at)
  }

  #start (index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!
  }

  #note (timestamp: number, messageBytes: number, end: number): void {
    if (this.#size === this.#ends.length) this.#growTables()
    this.#timestamps[this.#size] = timestamp
    this.#counted[this.#size] = messageBytes + LIMIT.EVENT_OVERHEAD_BYTES
    this.#ends[this.#size++] = end
  }

  #growTables (): void {
    const grown = <Table extends Float64Array | Uint32Array>(larger: Table, table: Table): Table => {
      larger.set(table)
      return larger
    }
    const length = this.#size * 2
    this.#timestamps = grown(new Float64Array(length), this.#timestamps)
    this.#counted = grown(new Uint32Array(length), this.#counted)
    this.#ends = grown(new Uint32Array(length), this.#ends)
  }
}

/** The buffer, or a larger one that begins with its first `used` bytes, with room for so many more. */
function withRoom (buffer: Buffer, used: number, bytes: number): Buffer {
  if (used + bytes <= buffer.length) return buffer
  const larger = Buffer.allocUnsafeSlow(Math.max(used + bytes, buffer.length * 2))
  buffer.copy(larger, 0, 0, used)
  return larger
}
