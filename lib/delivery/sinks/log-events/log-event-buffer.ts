import type { PutLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs'
import type { UnixMs } from '../../../../schemas/common.js'
import type { StoredLogEvent } from '../../../items/item.js'
import type { LeaseReader } from '../lease-items.js'

/** The names that a call of PutLogEvents carries. */
export interface LogStreamNames {
  logGroupName: string
  logStreamName: string
}

/**
 * The log events of one lease on their way to PutLogEvents.
 *
 * A lease is read into it once, record by record: `addStored` may take the events of a record from its bytes, `add`
 * takes one that was decoded. From then on an event goes by its index, which is its index in the `LeaseItems` of that
 * lease, too: they say what became of it, and decode the single events that are dead-lettered or go back into the
 * spool. Batches are cut by `timestamp` and `bytes`, and cut anew when CloudWatch refuses one; `command` makes the call
 * for any of them, any number of times, as long as one at a time is under way.
 *
 * Two implementations send the same events in the same batches. `TextLogEventBuffer` copies the stored bytes into the
 * body of the call. `DecodedLogEventBuffer` decodes every record and leaves the body to the SDK: a fault that stays
 * with it does not come from the scanner, the buffers or the ready body of the other.
 */
export interface LogEventBuffer extends LeaseReader<StoredLogEvent> {
  /** Log events taken in since `clear`. */
  readonly size: number
  /** Forgets all log events, so that the buffer serves the next lease; not while a call is under way. */
  clear (): void
  timestamp (index: number): UnixMs
  /** Bytes that the log event counts against the limit of PutLogEvents. */
  bytes (index: number): number
  /**
   * The call that puts these log events, at least one, in the order given.
   * @returns a command whose body is valid until the next one is made
   */
  command (names: LogStreamNames, indexes: readonly number[]): PutLogEventsCommand
}
