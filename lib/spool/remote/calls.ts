import type { AppendOnceResult, DeadLetters, KeyedAppend, KeyedRequest, Spool } from '../spool.js'

/** The result of an append with an idempotency key; the request is finished with a call of its own. */
export type KeyedResult = Exclude<AppendOnceResult, { state: 'stored' }> | { state: 'stored' }

/** What a process that takes requests asks of the process that owns the spool. */
export interface SpoolCalls extends Pick<Spool, 'depth' | 'ledger' | 'keyBytes' | 'unread' | 'probe'> {
  /** Stores the body of a frame, all of it or nothing, as `append` does. */
  appendFrame (body: Buffer): Promise<void>
  appendOnce (appends: readonly KeyedAppend[], request: KeyedRequest): Promise<KeyedResult>
  /** Finishes the request with this idempotency key. */
  finish (key: string, answer?: string): Promise<void>
}

export const SPOOL_CALLS = [
  'appendFrame', 'appendOnce', 'finish', 'depth', 'ledger', 'keyBytes', 'unread', 'probe'
] as const satisfies ReadonlyArray<keyof SpoolCalls>

export const DEAD_LETTER_CALLS = [
  'list', 'get', 'redrive', 'delete', 'size', 'evict'
] as const satisfies ReadonlyArray<keyof DeadLetters>
