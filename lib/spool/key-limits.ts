import type { KeyedRequest } from './spool.js'

/** How long a key is remembered. */
export const KEY_TTL_MS = 24 * 3_600_000
/** A request that has not ended this long after its wait has lost its process. */
export const KEY_HOLD_MS = 10_000
/**
 * The part of the spool's bytes that the keys of one application, and those of all, may take; the oldest are forgotten.
 */
const APPLICATION_SHARE = 1 / 16
const TOTAL_SHARE = 1 / 4
/** Bytes that a key takes beside its answer: its hash and digest, and its places in the indexes by age. */
const OVERHEAD_BYTES = 400

/** Bytes that may be kept for idempotency keys. */
export interface KeyLimits {
  applicationBytes: number
  totalBytes: number
}

/** @param parts over which the keys are spread evenly */
export function keyLimits (maxBytes: number, parts = 1): KeyLimits {
  return {
    applicationBytes: Math.floor(maxBytes * APPLICATION_SHARE / parts),
    totalBytes: Math.floor(maxBytes * TOTAL_SHARE / parts)
  }
}

/** Bytes that are kept for a key with this answer. */
export function keyBytesOf (answer: KeyedRequest['answer']): number {
  return OVERHEAD_BYTES + Buffer.byteLength(answer)
}
