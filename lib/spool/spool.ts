import { ConfigurationError } from '../configuration/configuration-error.js'
import type { UnixMs } from '../../schemas/common.js'
import type { Config } from '../../schemas/config.js'
import type { Kind } from '../../schemas/kinds.js'
import type { DeadLetterReason, Ledger, RejectionReason } from '../../schemas/reasons.js'
import type { BatchLimits } from './batch-limits.js'

/** Whether an append is durable against the end of the process, or of the machine. */
export type SpoolSync = Config['SPOOL_SYNC']

export interface SpoolOptions {
  /** How long the first record of a destination waits for further ones before the destination is due. */
  lingerMs: number
  /** The records of a lease that is neither settled, released nor extended for this long are leased again. */
  leaseMs: number
  /** Bytes of stored records and of idempotency keys after which append throws SpoolFullError. */
  maxBytes: number
  /** Whether there are several applications, each with a share of maxBytes; false unless given. */
  isShared?: () => boolean
  /** By kind: a destination with this much waiting is due at once. */
  limits: Record<Kind, BatchLimits>
  /** Dead letters older than this are evicted. */
  deadLetterMaxAgeMs: number
  /** Dead letters beyond this many bytes are evicted: of the applications with the most bytes, their oldest. */
  deadLetterMaxBytes: number
}

/** One line of JSON that record.ts has written; the spool never reads it. */
export interface SpoolRecord {
  /** Holds no newline. */
  line: string
  /** Items in the line, for the ledger. */
  items: number
  /** Bytes that these items count against the batch limit of their kind (not the length of the line). */
  bytes: number
}

export interface Append {
  kind: Kind
  /** A namespace, or `logGroup:logStream`, of at most 1,100 characters; a lease holds records of one alone. */
  destination: string
  /** Stored all or none, in this order. */
  records: SpoolRecord[]
  /** Whose records these are: a lease holds records of one application alone, and the applications have their turns. */
  application?: string
  /** A client waits for the delivery, so the destination is due at once. */
  urgent?: boolean
}

/** One of the appends of a request that bears an idempotency key. */
export interface KeyedAppend extends Append {
  /** Tells it from the others of its request, and is the same when the request is repeated. */
  part: string
}

/** The idempotency key of a request, which is kept for 24 h or until the share of its application is full. */
export interface KeyedRequest {
  /** Whose key it is: each application has a share of the bytes that are kept. */
  application: string
  /** A hash, unique for whom the key holds. */
  key: string
  /** A hash of the stored items, equal for a repeated request. */
  digest: string
  /** The answer to a repeated request. */
  answer: string
  /** How long the request counts as under way when its process has gone. */
  holdMs: number
}

export type AppendOnceResult =
  /**
   * The records are stored now. The request is under way until `finish`, which may replace the answer, and never
   * rejects.
   */
  | { state: 'stored', finish (answer?: string): Promise<void> }
  /** A request with this key and digest was stored before, with this answer. */
  | { state: 'answered', answer: string }
  /** A request with this key and digest has not finished. */
  | { state: 'under-way' }
  /** The key is that of a request with another digest. */
  | { state: 'reused' }

export interface LeasedRecord extends SpoolRecord {
  appendedAt: UnixMs
}

/** Records of one destination, oldest first, held by one forwarder until the lease is settled, released or expired. */
export interface Lease {
  id: string
  kind: Kind
  destination: string
  records: LeasedRecord[]
  /** Who has sent its records; absent when nobody knows. */
  application?: string
  /** Whether its records were set aside before, for a process that knows their version. */
  unread?: boolean
  /** Leases in a row of this destination that were released, or settled with a delay and without any outcome. */
  attempt: number
}

export interface TakeOptions {
  /** Lease records that still linger, too. */
  flush?: boolean
}

export type TakeResult =
  | { lease: Lease }
  /** No destination is due; milliseconds until one may be, null when nothing is stored. */
  | { lease: null, nextDueMs: number | null }

export interface NewDeadLetter {
  reason: DeadLetterReason
  /** Why it was refused, in words an operator can act on. */
  message: string
  /** The record as a line that could be appended again; of a corrupt record, the bytes that were read. */
  line: string
  items: number
  bytes: number
}

export interface DeadLetter extends NewDeadLetter {
  /** Sorts by the order in which they became dead letters, also when a clock was set back in between. */
  id: string
  kind: Kind
  destination: string
  /** When it became a dead letter. */
  at: UnixMs
  /** Whose items these are; absent when nobody knows. */
  application?: string
}

/** A record of a version that the process which has leased it does not know. */
export interface UnreadRecord extends SpoolRecord {
  version: number
}

/** How many records of a later version wait for a process that knows it. */
export interface UnreadCount {
  kind: Kind
  version: number
  records: number
}

export interface Settlement {
  delivered: number
  rejected?: Partial<Record<RejectionReason, number>>
  deadLetters?: NewDeadLetter[]
  /** Items still to be delivered, stored as new records in the same step, as old as the oldest record of the lease. */
  remainder?: SpoolRecord[]
  /**
   * Records that are set aside for a process that knows their version, in the same step. They wait apart from the
   * others of their destination, and are leased again, by this process or another, after `unreadDelayMs` or later.
   */
  unread?: UnreadRecord[]
  unreadDelayMs?: number
  /** The destination is not due again before this many milliseconds have passed. */
  delayMs?: number
}

export interface Depth {
  records: number
  items: number
  /** Bytes of the stored lines. */
  bytes: number
  /** Age of the oldest record in milliseconds, 0 when empty. */
  oldestAgeMs: number
}

export interface DeadLetterFilter {
  kind?: Kind
  destination?: string
  reason?: DeadLetterReason
  ids?: string[]
}

/** The dead letters of one spool. */
export interface DeadLetters {
  /** Oldest first; `next` is the cursor of the following page, null on the last. */
  list (
    filter: DeadLetterFilter, page: { limit: number, cursor?: string }
  ): Promise<{ deadLetters: DeadLetter[], next: string | null }>
  get (id: string): Promise<DeadLetter | null>
  /**
   * Appends records again and removes their dead letters, each in one atomic step. A corrupt record stays, unless this
   * process can read it. Returns how many were redriven.
   */
  redrive (filter: DeadLetterFilter): Promise<number>
  /** Returns how many were deleted; their items stay counted as dead-lettered. */
  delete (filter: DeadLetterFilter): Promise<number>
  /** Dead letters stored now, and the bytes of their lines. */
  size (): Promise<{ count: number, bytes: number }>
  /** Evicts by age and bytes, and counts the items in the ledger. Returns how many were evicted, and their items. */
  evict (): Promise<{ count: number, items: number }>
}

/**
 * Keeps accepted items until CloudWatch has answered for them.
 *
 * Records wait in one queue per destination and application, so that no queue delays another. A destination is due,
 * which is that its records may be leased, when a full batch waits, when its first record has lingered, or at once
 * after an urgent append; the records that a lease leaves behind linger again. After a release or a settlement with a
 * delay the destination is not due before that delay has passed, whatever is appended meanwhile. All of this is said of
 * the queue of one application, and holds for the queues of others by themselves.
 *
 * Nothing stored is ever dropped to make room.
 */
export interface Spool {
  /**
   * Resolves when the records would survive a SIGKILL of this process.
   * @throws SpoolFullError when they do not fit; ShareFullError when they do not fit the share of their application
   * @throws SpoolUnavailableError when the store does not answer; the records may or may not have been stored
   */
  append (append: Append): Promise<void>
  /**
   * Appends for a request with an idempotency key, unless that was stored before. When it fails, a repeated request
   * stores the appends that are missing.
   * @throws SpoolFullError, SpoolUnavailableError as `append` does
   */
  appendOnce (appends: readonly KeyedAppend[], request: KeyedRequest): Promise<AppendOnceResult>
  /**
   * Leases records of the destination of this kind that has been due longest: records of expired leases first, then
   * the oldest, as many as the limits of the kind allow, and at least one.
   * @param options.flush ignores the linger, never the delay of a release or a settlement: this process is about to
   * stop. `nextDueMs` is then the time until the next delay or lease ends.
   */
  take (kind: Kind, options?: TakeOptions): Promise<TakeResult>
  /** Holds the lease for another leaseMs. @returns whether it is still held; false when others may have its records */
  extend (lease: Lease): Promise<boolean>
  /**
   * Ends a lease in one atomic step: removes its records, stores remainder and dead letters, counts in the ledger.
   * Settling a lease that is settled already, or that has expired and has another holder, changes nothing. While the
   * store cannot be reached it is tried again, for up to twice leaseMs; so is `release`.
   * @returns false when the lease was no longer held: its records are delivered again
   * @throws Error when the items of the settlement do not add up to the items of the lease
   * @throws SpoolUnavailableError, SpoolFullError when the store did not take it in that time; the lease then expires
   */
  settle (lease: Lease, settlement: Settlement): Promise<boolean>
  /** Ends a lease and leaves its records as they are, due after delayMs. */
  release (lease: Lease, delayMs: number): Promise<void>
  depth (kind?: Kind): Promise<Depth>
  ledger (): Promise<Ledger>
  /** Bytes that are kept for idempotency keys. */
  keyBytes (): Promise<number>
  deadLetters: DeadLetters
  /**
   * Calls the listener when a destination has become due before its linger, through this process or another.
   * @returns removes the listener
   */
  onDue (listener: (kind: Kind) => void): () => void
  /** Unread records that are set aside, leased ones too. @throws SpoolUnavailableError */
  unread (): Promise<UnreadCount[]>
  /**
   * Looks whether the store takes what appends write; leaves nothing behind.
   * @returns the parts of the store that take nothing, in words, while others take items of every kind
   * @throws SpoolFullError, SpoolUnavailableError as `append` does
   */
  probe (): Promise<string[]>
  /** Finishes the appends that have begun, then closes the store. May be called twice. */
  close (): Promise<void>
}

/** The spool holds its maxBytes already, or its disk or memory is full. */
export class SpoolFullError extends Error {
  override name = 'SpoolFullError'
}

/** The application holds its share of the spool already, while others may go on. */
export class ShareFullError extends SpoolFullError {
  override name = 'ShareFullError'
  readonly application: string

  constructor (application: string) {
    super(`the application "${application}" holds its share of the spool`)
    this.application = application
  }
}

/** The store cannot be reached, or refuses to answer. */
export class SpoolUnavailableError extends Error {
  override name = 'SpoolUnavailableError'
}

/** The spool cannot be opened as configured; the message says what is wrong and how to mend it. */
export class SpoolConfigurationError extends ConfigurationError {
  override name = 'SpoolConfigurationError'
}
