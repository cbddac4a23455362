import { createHash } from 'node:crypto'

export const DAY_MS = 24 * 3_600_000

/** Name and value of each dimension of a series, in the order of the names. */
export type DimensionPairs = ReadonlyArray<readonly [name: string, value: string]>

/** The one series of its scope that stands for every series that finds no place. */
export const CATCH_ALL = 'catch-all'
/** No dimension is collapsed. */
export const AS_IT_IS: readonly number[] = []
/** The series that a series goes into: by the indexes of the dimensions that are collapsed, or the catch-all series. */
export type Collapse = readonly number[] | typeof CATCH_ALL

export interface SeriesClaim {
  /** The limit is set for all series with this scope. */
  scope: string
  /** The number of series that the scope may have. */
  limit: number
  pairs: DimensionPairs
}

/** The series that exist today. */
export interface SeriesTable {
  /**
   * Finds a place for each series, in their order. Never rejects.
   * @param day days since 1970, UTC; with another day all series are forgotten
   */
  claim (day: number, claims: readonly SeriesClaim[]): Collapse[] | Promise<Collapse[]>
}

/** Places for collapsed series, beyond the limit and as a share of it. */
export const COLLAPSED_SHARE = 0.1
/** How many dimensions are collapsed one by one before all of them are. */
export const MAX_STEPS = 3
/** Series of all scopes that one process remembers by itself, some 100 bytes each. */
const MAX_SERIES = 500_000
/** A longer key is hashed. */
const MAX_KEY_LENGTH = 128

/**
 * The series of one scope.
 *
 * The first `limit` series are taken as they are. From then on the dimension with the most distinct values among them
 * is collapsed; where the result is new and the places for its step are used up, the next dimension is collapsed too,
 * and at last all of them. Each step opens another share of the places, at least one, so that many values in a second
 * dimension do not take the places of series that are collapsed further. Beyond its limit a scope has at most
 * limit × COLLAPSED_SHARE series, but MAX_STEPS + 1 of a small limit, and the catch-all series.
 */
class ScopeSeries {
  readonly #keys = new Set<string>()
  /** Distinct values by dimension, of the series that were taken as they are. */
  readonly #values = new Map<string, Set<string>>()
  #whole = 0
  #collapsed = 0

  get size (): number {
    return this.#keys.size
  }

  claim (limit: number, pairs: DimensionPairs): Collapse {
    if (this.#keys.has(keyOf(pairs))) return AS_IT_IS
    if (this.#whole < limit) {
      this.#take(pairs)
      return AS_IT_IS
    }
    const order = this.#order(pairs)
    const places = limit * COLLAPSED_SHARE
    const steps = stepsOf(pairs.length)
    for (const [i, count] of steps.entries()) {
      const indexes = order.slice(0, count)
      const key = keyOf(pairs, indexes)
      if (this.#keys.has(key)) return indexes
      if (this.#collapsed < Math.max(i + 1, Math.ceil(places * (i + 1) / steps.length))) {
        this.#collapsed++
        this.#keys.add(key)
        return indexes
      }
    }
    return CATCH_ALL
  }

  /** Notes the decision of another table. */
  learn (pairs: DimensionPairs, collapse: Collapse): void {
    if (collapse === CATCH_ALL) return
    if (collapse === AS_IT_IS) {
      if (!this.#keys.has(keyOf(pairs))) this.#take(pairs)
      return
    }
    const { size } = this.#keys
    this.#keys.add(keyOf(pairs, collapse))
    this.#collapsed += this.#keys.size - size
  }

  #take (pairs: DimensionPairs): void {
    this.#whole++
    this.#keys.add(keyOf(pairs))
    for (const [name, value] of pairs) {
      const values = this.#values.get(name)
      if (values === undefined) this.#values.set(name, new Set([value]))
      else values.add(value)
    }
  }

  /** Indexes of the pairs, the dimensions with the most distinct values first. */
  #order (pairs: DimensionPairs): number[] {
    const counts = pairs.map(([name]) => this.#values.get(name)?.size ?? 0)
    return pairs.map((_, i) => i).sort((a, b) => counts[b]! - counts[a]! || a - b)
  }
}

/** How many dimensions each step collapses. */
function stepsOf (count: number): number[] {
  const steps = []
  for (let step = 1; step <= MAX_STEPS && step < count; step++) steps.push(step)
  return [...steps, count]
}

function keyOf (pairs: DimensionPairs, collapsed: readonly number[] = AS_IT_IS): string {
  const key = pairs.map(([name, value], i) => collapsed.includes(i) ? name : `${name}\0${value}`).join('\x01')
  return key.length <= MAX_KEY_LENGTH ? key : createHash('sha1').update(key).digest('base64')
}

/** The series that one process has seen, in memory; after a restart, none. */
export class LocalSeriesTable implements SeriesTable {
  readonly #maxSeries: number
  #day = -1
  #scopes = new Map<string, ScopeSeries>()
  #size = 0

  constructor (maxSeries = MAX_SERIES) {
    this.#maxSeries = maxSeries
  }

  claim (day: number, claims: readonly SeriesClaim[]): Collapse[] {
    return claims.map(({ scope, limit, pairs }) => this.#inScope(day, scope, series => series.claim(limit, pairs)))
  }

  /** Notes the decisions of another table, in order to go on from them. */
  learn (day: number, claims: readonly SeriesClaim[], collapses: readonly Collapse[]): void {
    for (const [i, { scope, pairs }] of claims.entries()) this.#inScope(day, scope, series => series.learn(pairs, collapses[i]!))
  }

  #inScope<T> (day: number, name: string, use: (series: ScopeSeries) => T): T {
    if (day !== this.#day) {
      this.#day = day
      this.#scopes.clear()
      this.#size = 0
    }
    const series = this.#scopes.get(name) ?? new ScopeSeries()
    // The scope that was used last is the last one in the map.
    this.#scopes.delete(name)
    this.#scopes.set(name, series)
    const { size } = series
    const result = use(series)
    this.#size += series.size - size
    this.#forget(series)
    return result
  }

  /** Forgets the scopes that were not used for longest, and never the one in use. */
  #forget (inUse: ScopeSeries): void {
    for (const [name, series] of this.#scopes) {
      if (this.#size <= this.#maxSeries || series === inUse) return
      this.#scopes.delete(name)
      this.#size -= series.size
    }
  }
}
