import type { UnixMs } from '../../../schemas/common.js'
import { keyBytesOf, type KeyLimits } from '../key-limits.js'
import type { KeyedAnswer } from './frame.js'
import type { Tables, Writes } from './tables.js'

/** Expired keys that one batch removes at most. */
const SWEEP_LIMIT = 200

/** Bytes that are kept for idempotency keys. */
export interface KeyCounters {
  bytes: number
  byApplication: Record<string, number>
}

type Write = (writes: Writes) => void

/** Removes keys, each once, from tables and counters. */
class KeyRemovals {
  readonly writes: Write[] = []
  readonly #tables: Tables
  readonly #counters: KeyCounters
  readonly #removed = new Set<string>()

  constructor (tables: Tables, counters: KeyCounters) {
    this.#tables = tables
    this.#counters = counters
  }

  remove (key: string, expiresAt: UnixMs): void {
    const id = `${expiresAt} ${key}`
    const owner = this.#tables.idempotencyExpiry.get([expiresAt, key])
    if (owner === undefined || this.#removed.has(id)) return
    this.#removed.add(id)
    const stored = this.#tables.idempotency.get(key)
    // An answer that the key got since expires later.
    const isCurrent = stored !== undefined && JSON.parse(stored)[0] === expiresAt
    const [application, bytes] = owner === '' ? [null, 0] : JSON.parse(owner) as [string, number]
    if (application !== null) countKey(this.#counters, application, -bytes)
    this.writes.push(writes => {
      writes.remove(this.#tables.idempotencyExpiry, [expiresAt, key])
      if (application !== null) writes.remove(this.#tables.idempotencyByApplication, [application, expiresAt, key])
      if (isCurrent) writes.remove(this.#tables.idempotency, key)
    })
  }
}

function countKey (counters: KeyCounters, application: string, bytes: number): void {
  counters.bytes += bytes
  const applicationBytes = bytesOfApplication(counters, application) + bytes
  if (applicationBytes > 0) counters.byApplication[application] = applicationBytes
  else delete counters.byApplication[application]
}

function bytesOfApplication ({ byApplication }: KeyCounters, application: string): number {
  return Object.hasOwn(byApplication, application) ? byApplication[application]! : 0
}

/**
 * Keeps new keys, and forgets those that have expired, then the oldest of an application beyond its share, then the
 * oldest of all beyond theirs. The keys of one batch are not forgotten before the next.
 * @param counters are changed
 */
export function putKeys (
  tables: Tables, answers: KeyedAnswer[], counters: KeyCounters, limits: KeyLimits, now: UnixMs
): Write[] {
  const removals = new KeyRemovals(tables, counters)
  const expired = tables.idempotencyExpiry.getKeys({ end: [now, ''], limit: SWEEP_LIMIT })
  for (const [expiresAt, key] of expired) removals.remove(key, expiresAt)
  // A key that is given another answer is replaced.
  for (const [key, expiresAt] of answers) removals.remove(key, expiresAt)
  for (const [, , answer, , application] of answers) countKey(counters, application, keyBytesOf(answer))

  for (const application of new Set(answers.map(([, , , , application]) => application))) {
    for (const [owner, expiresAt, key] of tables.idempotencyByApplication.getKeys({ start: [application, 0, ''] })) {
      if (owner !== application || bytesOfApplication(counters, application) <= limits.applicationBytes) break
      removals.remove(key, expiresAt)
    }
  }
  for (const [expiresAt, key] of tables.idempotencyExpiry.getKeys({})) {
    if (counters.bytes <= limits.totalBytes) break
    removals.remove(key, expiresAt)
  }

  return [...removals.writes, writes => {
    for (const [key, expiresAt, answer, digest, application] of answers) {
      writes.put(tables.idempotency, key, JSON.stringify([expiresAt, answer, digest, application]))
      writes.put(tables.idempotencyExpiry, [expiresAt, key], JSON.stringify([application, keyBytesOf(answer)]))
      writes.put(tables.idempotencyByApplication, [application, expiresAt, key], '')
    }
  }]
}
