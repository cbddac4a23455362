import { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { PUT_LOG_EVENTS as LIMIT } from '../../../../schemas/aws-limits.js'
import type { UnixMs } from '../../../../schemas/common.js'
import { isStoredLogEvent, type StoredLogEvent } from '../../../items/item.js'
import { countLogEvent } from '../../../spool/record.js'
import type { LeasedRecord } from '../../../spool/spool.js'
import { StoredLine } from '../../../spool/stored-line.js'
import type { LogEventBuffer, LogStreamNames } from './log-event-buffer.js'
import { ADDED_BYTES, LogRecordScanner } from './log-record-scanner.js'
import { withBody } from './ready-body.js'

const INITIAL_BYTES = 64 * 1_024
const END_OF_BODY = ']}'

/**
 * Holds the log events as the JSON that PutLogEvents is sent, one behind the other in one buffer, and copies them from
 * there into the body of a call. Objects of ten thousand log events, or new buffers for each lease, would outlive the
 * young generation of V8; hence one buffer that serves lease after lease.
 */
export class TextLogEventBuffer implements LogEventBuffer {
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

  isItem (value: unknown): value is StoredLogEvent {
    return isStoredLogEvent(value)
  }

  count (event: StoredLogEvent): number {
    return countLogEvent(event)
  }

  add ([timestamp, message]: StoredLogEvent): void {
    const json = `{"message":${JSON.stringify(message)},"timestamp":${timestamp}},`
    this.#text = withRoom(this.#text, this.#end, Buffer.byteLength(json))
    this.#end += this.#text.write(json, this.#end)
    this.#note(timestamp, Buffer.byteLength(message), this.#end)
  }

  addStored (record: LeasedRecord): boolean {
    // A log event takes more than a byte: a record with more items than bytes must not decide how much room is made.
    if (!(record instanceof StoredLine) || record.items > record.lineBytes) return false
    this.#text = withRoom(this.#text, this.#end, record.lineBytes + record.items * ADDED_BYTES)
    const before = this.#size
    const added = this.#scanner.scan(record, this.#text, this.#end)
    if (!added) this.#size = before
    this.#end = this.#start(this.#size)
    return added
  }

  timestamp (index: number): UnixMs {
    return this.#timestamps[index]!
  }

  bytes (index: number): number {
    return this.#counted[index]!
  }

  command (names: LogStreamNames, indexes: readonly number[]): PutLogEventsCommand {
    return withBody(new PutLogEventsCommand({ ...names, logEvents: [] }), this.body(names, indexes))
  }

  /** The JSON of a call with these log events, at least one; the next body overwrites it. */
  body (names: LogStreamNames, indexes: readonly number[]): Buffer {
    const head = `${JSON.stringify(names).slice(0, -1)},"logEvents":[`
    let size = Buffer.byteLength(head) + END_OF_BODY.length
    for (const index of indexes) size += this.#ends[index]! - this.#start(index)
    const body = this.#body = withRoom(this.#body, 0, size)
    let at = body.write(head)
    for (let i = 0; i < indexes.length; i++) {
      const first = indexes[i]!
      while (indexes[i + 1] === indexes[i]! + 1) i++
      at += this.#text.copy(body, at, this.#start(first), this.#ends[indexes[i]!]!)
    }
    // Over the comma behind the last log event.
    at += body.write(END_OF_BODY, at - 1) - 1
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

/** The buffer, or a larger one that begins with its first `used` bytes, with room for `bytes` more. */
function withRoom (buffer: Buffer, used: number, bytes: number): Buffer {
  if (used + bytes <= buffer.length) return buffer
  const larger = Buffer.allocUnsafeSlow(Math.max(used + bytes, buffer.length * 2))
  buffer.copy(larger, 0, 0, used)
  return larger
}
