import { createHash } from 'node:crypto'

/** Name and value of each dimension of a series, in the order of the names. */
export type Pairs = ReadonlyArray<readonly [name: string, value: string]>

/**
 * What a series becomes: the indexes of the pairs whose values are folded (none: it stays as it is), or null when it
 * joins the one series that stands for all that finds no room.
 */
export type Collapse = readonly number[] | null

export interface SeriesClaim {
  /** What the limit is set for. */
  scope: string
  /** Series that the scope may have. */
  limit: number
  pairs: Pairs
}

/** Which series there are today. */
export interface SeriesTable {
  /**
   * Finds a place for each series; those of one call in their order. Never rejects.
   * @param day days since 1970, UTC; with another day all are forgotten
   */
  claim (day: number, claims: readonly SeriesClaim[]): Collapse[] | Promise<Collapse[]>
}

export const AS_IT_IS: Collapse = []

/** Places for folded series, beyond the limit and as a share of it. */
export const COLLAPSED_SHARE = 0.1
/** How many dimensions are folded one by one before all of them are. */
export const MAX_STEPS = 3
/** Series of all scopes that one process remembers by itself, some 100 bytes each. */
const MAX_SERIES = 500_000
/** A longer key is hashed. */
const MAX_KEY_LENGTH = 128

/**
 * The series of one scope.
 *
 * The first `limit` series are taken as they are. From then on the dimension with the most distinct values among them
 * is folded; where the result is new and the places for its step are used up, the next dimension is folded too, and at
 * last all of them. Each step opens another share of the places, at least one, so that many values in a second dimension
 * do not take the places of what is folded further. Beyond its limit a scope has at most limit × FOLDED_SHARE series,
 * but MAX_STEPS + 1 of a small limit, and the one for all that finds no room.
 */
class Scope {
  readonly #series = new Set<string>()
  readonly #values = new Map<string, Set<string>>()
  #whole = 0
  #folded = 0

  get size (): number {
    return this.#series.size
  }

  claim (limit: number, pairs: Pairs): Collapse {
    if (this.#series.has(keyOf(pairs))) return AS_IT_IS
    if (this.#whole < limit) {
      this.#take(pairs)
      return AS_IT_IS
    }
    const order = this.#order(pairs)
    const places = limit * COLLAPSED_SHARE
    const steps = stepsOf(pairs.length)
    for (const [i, count] of steps.entries()) {
      const fold = order.slice(0, count)
      const key = keyOf(pairs, fold)
      if (this.#series.has(key)) return fold
      if (this.#folded < Math.max(i + 1, Math.ceil(places * (i + 1) / steps.length))) {
        this.#folded++
        this.#series.add(key)
        return fold
      }
    }
    return null
  }

  /** Notes what another table has decided. */
  learn (pairs: Pairs, fold: Collapse): void {
    if (fold === null) return
    if (fold === AS_IT_IS) {
      if (!this.#series.has(keyOf(pairs))) this.#take(pairs)
      return
    }
    const { size } = this.#series
    this.#series.add(keyOf(pairs, fold))
    this.#folded += this.#series.size - size
  }

  #take (pairs: Pairs): void {
    this.#whole++
    this.#series.add(keyOf(pairs))
    for (const [name, value] of pairs) {
      const values = this.#values.get(name)
      if (values === undefined) this.#values.set(name, new Set([value]))
      else values.add(value)
    }
  }

  /** Indexes of the pairs, those with the most distinct values first. */
  #order (pairs: Pairs): number[] {
    const counts = pairs.map(([name]) => this.#values.get(name)?.size ?? 0)
    return pairs.map((_, i) => i).sort((a, b) => counts[b]! - counts[a]! || a - b)
  }
}

/** How many dimensions each step folds. */
function stepsOf (count: number): number[] {
  const steps = []
  for (let step = 1; step <= MAX_STEPS && step < count; step++) steps.push(step)
  return [...steps, count]
}

function keyOf (pairs: Pairs, fold: readonly number[] = []): string {
  const key = pairs.map(([name, value], i) => fold.includes(i) ? name : `${name}\0${value}`).join('\x01')
  return key.length <= MAX_KEY_LENGTH ? key : createHash('sha1').update(key).digest('base64')
}

/** The series that one process has seen, in memory; after a restart, none. */
export class LocalSeriesTable implements SeriesTable {
  readonly #maxSeries: number
  #day = -1
  #scopes = new Map<string, Scope>()
  #size = 0

  constructor (maxSeries = MAX_SERIES) {
    this.#maxSeries = maxSeries
  }

  claim (day: number, claims: readonly SeriesClaim[]): Collapse[] {
    return claims.map(({ scope, limit, pairs }) => this.#inScope(day, scope, found => found.claim(limit, pairs)))
  }

  /** Notes what another table has decided, in order to go on where it has stopped. */
  learn (day: number, claims: readonly SeriesClaim[], folds: readonly Collapse[]): void {
    for (const [i, { scope, pairs }] of claims.entries()) this.#inScope(day, scope, found => found.learn(pairs, folds[i]!))
  }

  #inScope<T> (day: number, name: string, use: (scope: Scope) => T): T {
    if (day !== this.#day) {
      this.#day = day
      this.#scopes.clear()
      this.#size = 0
    }
    const scope = this.#scopes.get(name) ?? new Scope()
    // The scope that was used last is the last one in the map.
    this.#scopes.delete(name)
    this.#scopes.set(name, scope)
    const { size } = scope
    const result = use(scope)
    this.#size += scope.size - size
    this.#forget(scope)
    return result
  }

  /** Forgets the scopes that were not used for longest, and never the one in use. */
  #forget (inUse: Scope): void {
    for (const [name, scope] of this.#scopes) {
      if (this.#size <= this.#maxSeries || scope === inUse) return
      this.#scopes.delete(name)
      this.#size -= scope.size
    }
  }
}
