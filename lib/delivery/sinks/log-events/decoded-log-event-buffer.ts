import { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import type { UnixMs } from '../../../../schemas/common.js'
import { isStoredLogEvent, type StoredLogEvent } from '../../../items/item.js'
import { countLogEvent } from '../../../spool/record.js'
import type { LogEventBuffer, LogStreamNames } from './log-event-buffer.js'

/** Holds the log events as objects, and has the SDK write the body. */
export class DecodedLogEventBuffer implements LogEventBuffer {
  #events: StoredLogEvent[] = []

  get size (): number {
    return this.#events.length
  }

  clear (): void {
    this.#events = []
  }

  isItem (value: unknown): value is StoredLogEvent {
    return isStoredLogEvent(value)
  }

  count (event: StoredLogEvent): number {
    return countLogEvent(event)
  }

  add (event: StoredLogEvent): void {
    this.#events.push(event)
  }

  timestamp (index: number): UnixMs {
    return this.#events[index]![0]
  }

  bytes (index: number): number {
    return countLogEvent(this.#events[index]!)
  }

  command (names: LogStreamNames, indexes: readonly number[]): PutLogEventsCommand {
    const logEvents = indexes.map(index => {
      const [timestamp, message] = this.#events[index]!
      return { timestamp, message }
    })
    return new PutLogEventsCommand({ ...names, logEvents })
  }
}
