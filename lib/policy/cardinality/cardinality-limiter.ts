import { OTHER, type Dimension } from '../dimension-policy.js'
import type { StoredDatum } from '../../items/item.js'
import { KnownSeries, UNCHANGED, type Known } from './known-series.js'
import { AS_IT_IS, type Collapse, type Pairs, type SeriesClaim, type SeriesTable } from './series-table.js'

const DAY_MS = 24 * 3_600_000
const CATCH_ALL: Dimension[] = [{ Name: OTHER, Value: OTHER }]

/** Why a data point went into another series: its metric has too many series, or its namespace too many metrics. */
export type CollapseCause = 'max-series' | 'max-metrics'

export interface CardinalityLimits {
  /** Names of metrics in a namespace; 0 for no limit. */
  metrics: number
  /** Distinct dimension sets of a metric; 0 for no limit. */
  series: number
}

export interface CardinalityLimiterOptions {
  table: SeriesTable
  /** Unix milliseconds. */
  now: () => number
  /** Called synchronously, must not throw. */
  onCollapsed: (application: string, cause: CollapseCause, datums: number) => void
}

/** The data points of one request. */
interface Batch {
  application: string
  /** What the scopes of this batch start with. */
  scope: string
  /** Under what its series are known: other limits, other folds. */
  knownAs: string
  limits: CardinalityLimits
  datums: StoredDatum[]
}

/** The same for data points with the same name and the same dimensions in the same order. */
function keyOf ({ MetricName, Dimensions = [] }: StoredDatum): string {
  return [MetricName, ...Dimensions.flatMap(({ Name, Value }) => [Name, Value])].join('\0')
}

/** The indexes of dimensions in the order of their names, which is that of the pairs. */
function sortedIndexes (dimensions: readonly Dimension[]): number[] {
  return dimensions.map((_, i) => i).sort((a, b) => dimensions[a]!.Name < dimensions[b]!.Name ? -1 : 1)
}

function toPairs (dimensions: readonly Dimension[], order: readonly number[]): Pairs {
  return order.map(i => [dimensions[i]!.Name, dimensions[i]!.Value] as const)
}

function inOwnOrder (fold: Collapse, order: readonly number[]): Collapse {
  return fold === null || fold === AS_IT_IS ? fold : fold.map(i => order[i]!)
}

function folded (datum: StoredDatum, { name, dimensions }: Known): StoredDatum {
  const copy = name ? { ...datum, MetricName: OTHER } : { ...datum }
  if (dimensions === null) copy.Dimensions = CATCH_ALL
  else if (dimensions.length > 0) copy.Dimensions = datum.Dimensions!.map((dimension, i) => dimensions.includes(i) ? { Name: dimension.Name, Value: OTHER } : dimension)
  return copy
}

/**
 * Bounds what one application can cost: the metrics of a namespace, and the series of a metric. What is beyond is folded
 * into `__other__`, counted, and never refused. All is forgotten at midnight UTC.
 */
export class CardinalityLimiter {
  readonly #table: SeriesTable
  readonly #now: () => number
  readonly #onFolded: CardinalityLimiterOptions['onCollapsed']
  readonly #known = new KnownSeries()
  #day = -1

  constructor ({ table, now, onCollapsed }: CardinalityLimiterOptions) {
    this.#table = table
    this.#now = now
    this.#onFolded = onCollapsed
  }

  /**
   * Replaces the data points that are beyond the limits, in the array. Data points of known series cost a look-up each,
   * and no promise.
   */
  collapse (application: string, namespace: string, limits: CardinalityLimits, datums: StoredDatum[]): void | Promise<void> {
    this.#turnDay()
    const scope = `${application}\0${namespace}\0`
    const batch: Batch = { application, scope, knownAs: `${limits.metrics}\0${limits.series}\0${scope}`, limits, datums }
    const find = this.#known.reader(batch.knownAs)
    const unknown: number[] = []
    for (let i = 0; i < datums.length; i++) {
      const known = find(datums[i]!)
      if (known === UNCHANGED) continue
      if (known === undefined) unknown.push(i)
      else this.#apply(batch, i, known)
    }
    if (unknown.length > 0) return this.#place(batch, unknown)
  }

  #turnDay (): void {
    const day = Math.floor(this.#now() / DAY_MS)
    if (day === this.#day) return
    this.#day = day
    this.#known.clear()
  }

  #apply ({ application, datums }: Batch, index: number, known: Known): void {
    if (known === UNCHANGED) return
    datums[index] = folded(datums[index]!, known)
    if (known.name) this.#onFolded(application, 'max-metrics', 1)
    if (known.dimensions !== AS_IT_IS) this.#onFolded(application, 'max-series', 1)
  }

  async #place (batch: Batch, unknown: readonly number[]): Promise<void> {
    const day = this.#day
    const names = await this.#placeNames(batch, unknown, day)
    const dimensions = await this.#placeSeries(batch, unknown, names, day)
    for (const index of unknown) {
      const datum = batch.datums[index]!
      const name = names.get(datum.MetricName)!
      const fold = dimensions.get(keyOf(datum))!
      const known = name || fold !== AS_IT_IS ? { name, dimensions: fold } : UNCHANGED
      if (day === this.#day) this.#known.set(batch.knownAs, datum, known)
      this.#apply(batch, index, known)
    }
  }

  /** Whether each name is folded. */
  async #placeNames ({ scope, knownAs, limits, datums }: Batch, unknown: readonly number[], day: number): Promise<Map<string, boolean>> {
    const places = new Map<string, boolean>()
    const fresh: string[] = []
    for (const name of new Set(unknown.map(index => datums[index]!.MetricName))) {
      const isFolded = limits.metrics === 0 ? false : this.#known.isFolded(knownAs, name)
      if (isFolded === undefined) fresh.push(name)
      else places.set(name, isFolded)
    }
    if (fresh.length === 0) return places
    const folds = await this.#table.claim(day, fresh.map(name => ({ scope, limit: limits.metrics, pairs: [['', name]] })))
    for (const [i, name] of fresh.entries()) {
      const isFolded = folds[i] !== AS_IT_IS
      if (day === this.#day) this.#known.setFolded(knownAs, name, isFolded)
      places.set(name, isFolded)
    }
    return places
  }

  /** By the key of the data point, how its dimensions are folded. */
  async #placeSeries ({ scope, limits, datums }: Batch, unknown: readonly number[], names: ReadonlyMap<string, boolean>, day: number): Promise<Map<string, Collapse>> {
    const places = new Map<string, Collapse>()
    const claims: SeriesClaim[] = []
    const owners: Array<{ key: string, order: number[] }> = []
    for (const index of unknown) {
      const { MetricName, Dimensions = [] } = datums[index]!
      const key = keyOf(datums[index]!)
      const isNew = !places.has(key)
      places.set(key, AS_IT_IS)
      if (!isNew || limits.series === 0 || Dimensions.length === 0) continue
      const order = sortedIndexes(Dimensions)
      owners.push({ key, order })
      claims.push({ scope: scope + (names.get(MetricName)! ? OTHER : MetricName), limit: limits.series, pairs: toPairs(Dimensions, order) })
    }
    if (claims.length === 0) return places
    const folds = await this.#table.claim(day, claims)
    for (const [i, { key, order }] of owners.entries()) places.set(key, inOwnOrder(folds[i]!, order))
    return places
  }
}
