import type { Kind } from '../../schemas/kinds.js'
import type { DeadLetterReason, Ledger, RejectionReason } from '../../schemas/reasons.js'

/** How much one lease may hold; a destination with this much waiting is due at once. */
export interface BatchLimits {
  items: number
  bytes: number
}

export interface SpoolOptions {
  /** How long the first item of a destination waits for company before it is due. */
  lingerMs: number
  /** A lease that is neither settled, released nor extended for this long is handed out again. */
  leaseMs: number
  /** Bytes of stored records after which append throws SpoolFullError; dead letters are not counted. */
  maxBytes: number
  /** Per kind, what a lease may hold. */
  limits: Record<Kind, BatchLimits>
  /** Dead letters older than this are evicted. */
  deadLetterMaxAgeMs: number
  /** Dead letters beyond this many bytes are evicted, oldest first. */
  deadLetterMaxBytes: number
}

/** One line of JSON made by lib/record.ts; the spool never looks inside. */
export interface SpoolRecord {
  /** Holds no newline. */
  line: string
  /** Items in it, for the ledger. */
  items: number
  /** What these items count against the batch limit of their kind (not the length of the line). */
  bytes: number
}

export interface Append {
  kind: Kind
  /** A namespace, or `logGroup:logStream`; one lease never mixes two. At most 1,100 characters. */
  destination: string
  /** Stored together or not at all, in this order. */
  records: SpoolRecord[]
  /** Due at once: somebody waits for the delivery. */
  urgent?: boolean
  /** Makes a repeated append of the same key within 24 h return the first one's answer and store nothing. */
  idempotency?: {
    /** Unique per application and client key. */
    key: string
    /** What `append` returns to a repeated call. */
    answer: string
  }
}

export type AppendResult =
  | { stored: true }
  /** This idempotency key was appended before, with this answer. */
  | { stored: false, answer: string }

export interface LeasedRecord extends SpoolRecord {
  /** Unix milliseconds of the append. */
  appendedAt: number
}

/** Records of one destination, oldest first, held by one forwarder until settled, released or expired. */
export interface Lease {
  id: string
  kind: Kind
  destination: string
  records: LeasedRecord[]
  /** How often in a row this destination was released, or settled with a delay and without any outcome. */
  attempt: number
}

export interface TakeOptions {
  /** Take what still lingers, too. */
  flush?: boolean
}

export type TakeResult =
  | { lease: Lease }
  /** Nothing is due; milliseconds until something may be, null when nothing is stored. */
  | { lease: null, nextDueMs: number | null }

export interface NewDeadLetter {
  reason: DeadLetterReason
  /** What refused it, in words an operator can act on. */
  message: string
  /** The record as a line that could be appended again; for a corrupt one, whatever was read. */
  line: string
  items: number
  bytes: number
}

export interface DeadLetter extends NewDeadLetter {
  /** Sorts by time of death. */
  id: string
  kind: Kind
  destination: string
  /** Unix milliseconds. */
  at: number
}

export interface Settlement {
  delivered: number
  rejected?: Partial<Record<RejectionReason, number>>
  deadLetters?: NewDeadLetter[]
  /** Items still to be delivered, written back as new records in the same step; they keep the age of the lease. */
  remainder?: SpoolRecord[]
  /** The destination is not due again before this many milliseconds have passed. */
  delayMs?: number
}

export interface Depth {
  records: number
  items: number
  /** Bytes of stored lines. */
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
  list (filter: DeadLetterFilter, page: { limit: number, cursor?: string }): Promise<{ deadLetters: DeadLetter[], next: string | null }>
  get (id: string): Promise<DeadLetter | null>
  /** Appends them again and takes them out, each in one atomic step. A corrupt one stays. Returns the letters redriven. */
  redrive (filter: DeadLetterFilter): Promise<number>
  /** Returns the letters deleted; their items stay counted as dead-lettered. */
  delete (filter: DeadLetterFilter): Promise<number>
  /** Letters and bytes kept now. */
  size (): Promise<{ letters: number, bytes: number }>
  /** Evicts by age and bytes; counted in the ledger. Returns what was evicted. */
  evict (): Promise<{ letters: number, items: number }>
}

/**
 * Keeps accepted items until CloudWatch has answered for them.
 *
 * Records wait in one queue per destination, so that one destination never stands in another's way. A destination is
 * due when a full batch waits, when its first record has lingered, or at once for an urgent append; what a lease leaves
 * behind lingers again. After a release or a settlement with a delay it is not due before that delay has passed,
 * whatever is appended meanwhile.
 *
 * Nothing stored is ever dropped to make room.
 */
export interface Spool {
  /**
   * Resolves when the records would survive a SIGKILL of this process.
   * @throws SpoolFullError when they do not fit
   * @throws SpoolUnavailableError when the store does not answer; the records may or may not have been stored
   */
  append (append: Append): Promise<AppendResult>
  /**
   * Leases records of the destination of this kind that has been due longest: records of expired leases first, then
   * the oldest, as many as the limits of the kind allow, and at least one.
   * @param options.flush ignores the linger, never the delay of a release or a settlement: this process is about to
   * stop. `nextDueMs` then speaks of the next delay or lease that ends.
   */
  take (kind: Kind, options?: TakeOptions): Promise<TakeResult>
  /** Holds the lease for another leaseMs. */
  extend (lease: Lease): Promise<void>
  /**
   * Ends a lease: its records are gone, remainder and dead letters are stored, the ledger is moved on, in one atomic step.
   * Settling a lease that is settled already, or that has expired and has another holder, changes nothing. While the
   * store cannot be reached it is tried again, for up to twice leaseMs; so is `release`.
   * @throws Error when the items of the settlement do not add up to the items of the lease
   * @throws SpoolUnavailableError, SpoolFullError when it did not get through in that time; the lease then runs out
   */
  settle (lease: Lease, settlement: Settlement): Promise<void>
  /** Gives the records back unchanged, to be due after delayMs. */
  release (lease: Lease, delayMs: number): Promise<void>
  depth (kind?: Kind): Promise<Depth>
  ledger (): Promise<Ledger>
  deadLetters: DeadLetters
  /** Calls the listener when something has become due before its linger, in this process or another; returns a function that stops it. */
  onDue (listener: (kind: Kind) => void): () => void
  /** Resolves when the store answers. @throws SpoolUnavailableError */
  ping (): Promise<void>
  /** Finishes what append has begun, then lets go of the store. May be called twice. */
  close (): Promise<void>
}

/** The spool holds maxBytes already, or its disk or memory is full. */
export class SpoolFullError extends Error {
  override name = 'SpoolFullError'
}

/** The store cannot be reached, or refuses to answer. */
export class SpoolUnavailableError extends Error {
  override name = 'SpoolUnavailableError'
}

/** The spool cannot be opened as configured; the message says what is wrong and how to mend it. */
export class SpoolConfigurationError extends Error {
  override name = 'SpoolConfigurationError'
}
