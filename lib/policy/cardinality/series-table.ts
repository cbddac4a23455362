import { createHash } from 'node:crypto'

/** Name and value of each dimension of a series, in the order of the names. */
export type DimensionPairs = ReadonlyArray<readonly [name: string, value: string]>

/** The one series of its scope that stands for every series that finds no place. */
export const CATCH_ALL = 'catch-all'
/** No dimension is collapsed. */
export const AS_IT_IS: readonly number[] = []
/** The series that a series goes into: by the indexes of the dimensions that are collapsed, or the catch-all series. */
export type Collapse = readonly number[] | typeof CATCH_ALL

export interface SeriesClaim {
  /** Each has a share of what one process remembers. */
  application: string
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
/** Of them, the share of one application. */
const APPLICATION_SHARE = 0.2
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

  /** @param hasRoom whether another series may be remembered; without, a new one goes into the catch-all series */
  claim (limit: number, pairs: DimensionPairs, hasRoom: boolean): Collapse {
    if (this.#keys.has(keyOf(pairs))) return AS_IT_IS
    if (!hasRoom) return this.#knownCollapse(pairs)
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

  /** The collapsed series that a series would go into, and that is there already. */
  #knownCollapse (pairs: DimensionPairs): Collapse {
    const order = this.#order(pairs)
    const collapses = stepsOf(pairs.length).map(count => order.slice(0, count))
    return collapses.find(indexes => this.#keys.has(keyOf(pairs, indexes))) ?? CATCH_ALL
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
  readonly #scopes = new Map<string, ScopeSeries>()
  /** Series by application. */
  readonly #sizes = new Map<string, number>()
  #size = 0

  constructor (maxSeries = MAX_SERIES) {
    this.#maxSeries = maxSeries
  }

  claim (day: number, claims: readonly SeriesClaim[]): Collapse[] {
    return claims.map(claim =>
      this.#inScope(day, claim, (series, hasRoom) => series.claim(claim.limit, claim.pairs, hasRoom)))
  }

  /** Notes the decisions of another table, in order to go on from them. */
  learn (day: number, claims: readonly SeriesClaim[], collapses: readonly Collapse[]): void {
    for (const [i, claim] of claims.entries()) {
      this.#inScope(day, claim, (series, hasRoom) => { if (hasRoom) series.learn(claim.pairs, collapses[i]!) })
    }
  }

  /** When the share of an application is full, or the table is, nothing is forgotten: limits would start anew. */
  #inScope<T> (day: number, { application, scope }: SeriesClaim, use: (series: ScopeSeries, hasRoom: boolean) => T): T {
    if (day !== this.#day) {
      this.#day = day
      this.#scopes.clear()
      this.#sizes.clear()
      this.#size = 0
    }
    const known = this.#scopes.get(scope)
    const series = known ?? new ScopeSeries()
    const applicationSize = this.#sizes.get(application) ?? 0
    const { size } = series
    const result = use(series, this.#size < this.#maxSeries && applicationSize < this.#maxSeries * APPLICATION_SHARE)
    const added = series.size - size
    if (added === 0) return result
    if (known === undefined) this.#scopes.set(scope, series)
    this.#sizes.set(application, applicationSize + added)
    this.#size += added
    return result
  }
}
