import { unixNow } from '../clock.js'
import { isReadable } from './record.js'
import type { DeadLetter, DeadLetterFilter, DeadLetters } from './spool.js'

/** Dead letters that are read at once. */
const PAGE_SIZE = 100

/** The dead letters of a backend; each write is one atomic step per dead letter. */
export interface DeadLetterStore {
  /** Dead letters with an id after this one, oldest first; null starts with the oldest. */
  page (after: string | null, limit: number): Promise<DeadLetter[]>
  get (id: string): Promise<DeadLetter | null>
  /** Appends the record again and removes the dead letter; false when it is gone already. */
  redrive (deadLetter: DeadLetter): Promise<boolean>
  /** Removes it, and counts its items as evicted if so; false when it is gone already. */
  remove (deadLetter: DeadLetter, evicted: boolean): Promise<boolean>
  size (): Promise<{ count: number, bytes: number }>
}

export interface DeadLetterLimits {
  deadLetterMaxAgeMs: number
  deadLetterMaxBytes: number
}

/** A corrupt record may be one that an earlier version of the gateway could not read. */
function isRedrivable (deadLetter: DeadLetter): boolean {
  return deadLetter.reason !== 'corrupt' || isReadable(deadLetter)
}

export function createDeadLetters (store: DeadLetterStore, limits: DeadLetterLimits): DeadLetters {
  return {
    async list (filter, { limit, cursor }) {
      const selected: DeadLetter[] = []
      for await (const deadLetter of select(store, filter, cursor)) {
        if (selected.push(deadLetter) > limit) break
      }
      const deadLetters = selected.slice(0, limit)
      return { deadLetters, next: selected.length > limit ? deadLetters.at(-1)?.id ?? null : null }
    },

    get: id => store.get(id),

    async redrive (filter) {
      let redriven = 0
      for await (const deadLetter of selectPresent(store, filter)) {
        if (isRedrivable(deadLetter) && await store.redrive(deadLetter)) redriven++
      }
      return redriven
    },

    async delete (filter) {
      let deleted = 0
      for await (const deadLetter of selectPresent(store, filter)) {
        if (await store.remove(deadLetter, false)) deleted++
      }
      return deleted
    },

    size: () => store.size(),

    async evict () {
      const cutoff = unixNow() - limits.deadLetterMaxAgeMs
      const excess = await excessBytes(store, limits.deadLetterMaxBytes)
      const evicted = { count: 0, items: 0 }
      for await (const deadLetter of select(store, {})) {
        const { application = '' } = deadLetter
        const excessOfApplication = excess.get(application) ?? 0
        if (deadLetter.at >= cutoff) {
          if (excess.size === 0) break
          if (excessOfApplication <= 0) continue
        }
        const remainingExcess = excessOfApplication - Buffer.byteLength(deadLetter.line)
        if (remainingExcess > 0) excess.set(application, remainingExcess)
        else excess.delete(application)
        if (!await store.remove(deadLetter, true)) continue
        evicted.count++
        evicted.items += deadLetter.items
      }
      return evicted
    }
  }
}

/**
 * By application the bytes of dead letters that are too many: the applications with the most bytes give way, down to
 * the same share each, so that none pushes out those of another.
 */
async function excessBytes (store: DeadLetterStore, maxBytes: number): Promise<Map<string, number>> {
  const excess = new Map<string, number>()
  if ((await store.size()).bytes <= maxBytes) return excess
  const bytes = new Map<string, number>()
  for await (const { application = '', line } of scan(store)) {
    bytes.set(application, (bytes.get(application) ?? 0) + Buffer.byteLength(line))
  }
  let leftBytes = maxBytes
  let applications = bytes.size
  for (const [application, own] of [...bytes].sort(([, a], [, b]) => a - b)) {
    const share = Math.min(own, leftBytes / applications--)
    leftBytes -= share
    if (own > share) excess.set(application, own - share)
  }
  return excess
}

/**
 * Looks at no more dead letters than there are at the call, so that a record that dies again is not redriven twice. Not
 * at their times: a clock that was set back makes all of them look younger.
 */
async function * selectPresent (store: DeadLetterStore, filter: DeadLetterFilter): AsyncGenerator<DeadLetter> {
  let unseenCount = (await store.size()).count
  for await (const deadLetter of scan(store, filter.ids)) {
    if (unseenCount-- <= 0) return
    if (matches(deadLetter, filter)) yield deadLetter
  }
}

async function * select (
  store: DeadLetterStore, filter: DeadLetterFilter, cursor?: string
): AsyncGenerator<DeadLetter> {
  for await (const deadLetter of scan(store, filter.ids, cursor)) if (matches(deadLetter, filter)) yield deadLetter
}

/** All dead letters, or those with the ids, behind the cursor. */
async function * scan (store: DeadLetterStore, ids?: string[], cursor?: string): AsyncGenerator<DeadLetter> {
  if (ids !== undefined) {
    for (const id of [...new Set(ids)].sort()) {
      const deadLetter = cursor === undefined || id > cursor ? await store.get(id) : null
      if (deadLetter !== null) yield deadLetter
    }
    return
  }
  let after = cursor ?? null
  for (;;) {
    const page = await store.page(after, PAGE_SIZE)
    yield * page
    if (page.length < PAGE_SIZE) return
    after = page.at(-1)!.id
  }
}

function matches (deadLetter: DeadLetter, { kind, destination, reason }: DeadLetterFilter): boolean {
  return (kind === undefined || deadLetter.kind === kind) &&
    (destination === undefined || deadLetter.destination === destination) &&
    (reason === undefined || deadLetter.reason === reason)
}
