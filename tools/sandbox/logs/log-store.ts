import type { UnixMs } from '../../../schemas/common.js'

export interface InputLogEvent {
  timestamp: UnixMs
  message: string
}

/** One event as reads see it. */
export interface LogEvent extends InputLogEvent {
  ingestionTime: number
  /** Place in the order in which events were stored, over all streams. */
  sequence: number
}

/** The place of an event in the order in which events are read. */
export interface Position {
  timestamp: number
  sequence: number
}

interface Batch {
  events: InputLogEvent[]
  ingestionTime: number
  firstSequence: number
}

const TIMESTAMP_DIGITS = 20
const SEQUENCE_DIGITS = 36

export function compare (a: Position, b: Position): number {
  return a.timestamp - b.timestamp || a.sequence - b.sequence
}

/** A position as 56 digits that sort like it: the form of event ids and page tokens of CloudWatch Logs. */
export function encodePosition ({ timestamp, sequence }: Position): string {
  return String(timestamp).padStart(TIMESTAMP_DIGITS, '0') + String(sequence).padStart(SEQUENCE_DIGITS, '0')
}

/** The position of 56 digits; null for any other text. */
export function decodePosition (digits: string): Position | null {
  if (!/^\d{56}$/.test(digits)) return null
  return { timestamp: Number(digits.slice(0, TIMESTAMP_DIGITS)), sequence: Number(digits.slice(TIMESTAMP_DIGITS)) }
}

/** Index of the first event that is not before the position. */
export function lowerBound (events: readonly LogEvent[], position: Position): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(events[middle]!, position) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** A log stream. It keeps batches as they came, and sorts them when somebody reads. */
export class LogStream {
  firstEventTimestamp: number | undefined
  lastEventTimestamp: number | undefined
  lastIngestionTime: number | undefined
  readonly #batches: Batch[] = []
  #sorted: LogEvent[] = []
  #sortedBatches = 0

  constructor (readonly name: string, readonly creationTime: number) {}

  /** @param events in chronological order, at least one; not copied */
  append (events: InputLogEvent[], ingestionTime: number, firstSequence: number, keep: boolean): void {
    const first = events[0]!.timestamp
    const last = events[events.length - 1]!.timestamp
    this.firstEventTimestamp = Math.min(first, this.firstEventTimestamp ?? first)
    this.lastEventTimestamp = Math.max(last, this.lastEventTimestamp ?? last)
    this.lastIngestionTime = ingestionTime
    if (keep) this.#batches.push({ events, ingestionTime, firstSequence })
  }

  /** The events in the order in which they are read: by timestamp, then as stored. */
  events (): readonly LogEvent[] {
    if (this.#sortedBatches < this.#batches.length) {
      for (const { events, ingestionTime, firstSequence } of this.#batches.slice(this.#sortedBatches)) {
        events.forEach(({ timestamp, message }, index) => this.#sorted.push({
          timestamp,
          message,
          ingestionTime,
          sequence: firstSequence + index
        }))
      }
      this.#sortedBatches = this.#batches.length
      this.#sorted.sort(compare)
    }
    return this.#sorted
  }

  /** The events in the order in which they were stored, without an index of them. */
  * stored (): Generator<InputLogEvent> {
    for (const { events } of this.#batches) yield * events
  }
}

export interface SubscriptionFilter {
  filterName: string
  filterPattern: string
  destinationArn: string
  creationTime: UnixMs
}

export class LogGroup {
  retentionInDays: number | undefined
  storedBytes = 0
  readonly streams = new Map<string, LogStream>()
  /** Subscription filters by name. */
  readonly subscriptionFilters = new Map<string, SubscriptionFilter>()

  constructor (readonly name: string, readonly logGroupClass: string, readonly creationTime: number) {}
}

/** Every log group of the sandbox. */
export class LogStore {
  readonly groups = new Map<string, LogGroup>()
  #sequence = 0

  /** Reserves numbers for `count` events and returns the first. */
  takeSequence (count: number): number {
    const first = this.#sequence
    this.#sequence += count
    return first
  }

  reset (): void {
    this.groups.clear()
    this.#sequence = 0
  }
}
