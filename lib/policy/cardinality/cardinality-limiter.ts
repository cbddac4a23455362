import { DAY_MS, type UnixMs } from '../../../schemas/common.js'
import type { StoredDatum } from '../../items/item.js'
import { OTHER, type Dimension } from '../dimension-policy.js'
import { CollapseCache, UNCHANGED, type DatumCollapse } from './collapse-cache.js'
import {
  AS_IT_IS, CATCH_ALL, type Collapse, type DimensionPairs, type SeriesClaim, type SeriesTable
} from './series-table.js'

const CATCH_ALL_DIMENSIONS: Dimension[] = [{ Name: OTHER, Value: OTHER }]

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
  now: () => UnixMs
  /** Called synchronously, must not throw. */
  onCollapsed: (applicationId: string, cause: CollapseCause, datums: number) => void
}

/** The data points of one request. */
interface Batch {
  applicationId: string
  /** The scopes of this batch start with it. */
  scope: string
  /** The scope of its series in the cache, which includes the limits: other limits collapse other series. */
  cacheScope: string
  limits: CardinalityLimits
  datums: StoredDatum[]
}

/** The same for data points with the same name and the same dimensions in the same order. */
function keyOf ({ MetricName, Dimensions = [] }: StoredDatum): string {
  return [MetricName, ...Dimensions.flatMap(({ Name, Value }) => [Name, Value])].join('\0')
}

/** The indexes of dimensions in the order of their names, as the pairs are ordered. */
function sortedIndexes (dimensions: readonly Dimension[]): number[] {
  return dimensions.map((_, i) => i).sort((a, b) => dimensions[a]!.Name < dimensions[b]!.Name ? -1 : 1)
}

function toPairs (dimensions: readonly Dimension[], order: readonly number[]): DimensionPairs {
  return order.map(i => [dimensions[i]!.Name, dimensions[i]!.Value] as const)
}

/** Turns indexes of the pairs into indexes of the dimensions. */
function inOwnOrder (collapse: Collapse, order: readonly number[]): Collapse {
  return collapse === CATCH_ALL || collapse === AS_IT_IS ? collapse : collapse.map(i => order[i]!)
}

function collapseDatum (datum: StoredDatum, { name, dimensions }: DatumCollapse): StoredDatum {
  const copy = name ? { ...datum, MetricName: OTHER } : { ...datum }
  if (dimensions === CATCH_ALL) copy.Dimensions = CATCH_ALL_DIMENSIONS
  else if (dimensions.length > 0) {
    copy.Dimensions = datum.Dimensions!.map((dimension, i) =>
      dimensions.includes(i) ? { Name: dimension.Name, Value: OTHER } : dimension)
  }
  return copy
}

/**
 * Bounds the cost of one application: the metrics of a namespace, and the series of a metric. Data points beyond a
 * limit are collapsed into `__other__`, counted, and never refused. At midnight UTC all series are forgotten.
 */
export class CardinalityLimiter {
  readonly #table: SeriesTable
  readonly #now: () => UnixMs
  readonly #onCollapsed: CardinalityLimiterOptions['onCollapsed']
  readonly #cache = new CollapseCache()
  #day = -1

  constructor ({ table, now, onCollapsed }: CardinalityLimiterOptions) {
    this.#table = table
    this.#now = now
    this.#onCollapsed = onCollapsed
  }

  /** Replaces the data points beyond the limits, in the array; no promise when all their series are known. */
  collapse (
    applicationId: string, namespace: string, limits: CardinalityLimits, datums: StoredDatum[]
  ): void | Promise<void> {
    this.#turnDay()
    const scope = `${applicationId}\0${namespace}\0`
    const batch: Batch = {
      applicationId,
      scope,
      cacheScope: `${limits.metrics}\0${limits.series}\0${scope}`,
      limits,
      datums
    }
    const find = this.#cache.reader(batch.cacheScope)
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
    this.#cache.clear()
  }

  #apply ({ applicationId, datums }: Batch, index: number, collapse: DatumCollapse): void {
    if (collapse === UNCHANGED) return
    datums[index] = collapseDatum(datums[index]!, collapse)
    if (collapse.name) this.#onCollapsed(applicationId, 'max-metrics', 1)
    if (collapse.dimensions !== AS_IT_IS) this.#onCollapsed(applicationId, 'max-series', 1)
  }

  async #place (batch: Batch, unknown: readonly number[]): Promise<void> {
    const day = this.#day
    const names = await this.#placeNames(batch, unknown, day)
    const series = await this.#placeSeries(batch, unknown, names, day)
    for (const index of unknown) {
      const datum = batch.datums[index]!
      const name = names.get(datum.MetricName)!
      const dimensions = series.get(keyOf(datum))!
      const collapse = name || dimensions !== AS_IT_IS ? { name, dimensions } : UNCHANGED
      if (day === this.#day) this.#cache.set(batch.cacheScope, datum, collapse)
      this.#apply(batch, index, collapse)
    }
  }

  /** Whether each name is collapsed. */
  async #placeNames (
    { applicationId, scope, cacheScope, limits, datums }: Batch, unknown: readonly number[], day: number
  ): Promise<Map<string, boolean>> {
    const places = new Map<string, boolean>()
    const newNames: string[] = []
    for (const name of new Set(unknown.map(index => datums[index]!.MetricName))) {
      const isCollapsed = limits.metrics === 0 ? false : this.#cache.isNameCollapsed(cacheScope, name)
      if (isCollapsed === undefined) newNames.push(name)
      else places.set(name, isCollapsed)
    }
    if (newNames.length === 0) return places
    const collapses = await this.#table.claim(
      day, newNames.map(name => ({ application: applicationId, scope, limit: limits.metrics, pairs: [['', name]] }))
    )
    for (const [i, name] of newNames.entries()) {
      const isCollapsed = collapses[i] !== AS_IT_IS
      if (day === this.#day) this.#cache.setNameCollapsed(cacheScope, name, isCollapsed)
      places.set(name, isCollapsed)
    }
    return places
  }

  /** The collapse of dimensions, by the key of the data point. */
  async #placeSeries (
    { applicationId, scope, limits, datums }: Batch,
    unknown: readonly number[],
    names: ReadonlyMap<string, boolean>,
    day: number
  ): Promise<Map<string, Collapse>> {
    const places = new Map<string, Collapse>()
    const claims: SeriesClaim[] = []
    const claimants: Array<{ key: string, order: number[] }> = []
    for (const index of unknown) {
      const { MetricName, Dimensions = [] } = datums[index]!
      const key = keyOf(datums[index]!)
      const isNew = !places.has(key)
      places.set(key, AS_IT_IS)
      if (!isNew || limits.series === 0 || Dimensions.length === 0) continue
      const order = sortedIndexes(Dimensions)
      claimants.push({ key, order })
      claims.push({
        application: applicationId,
        scope: scope + (names.get(MetricName)! ? OTHER : MetricName),
        limit: limits.series,
        pairs: toPairs(Dimensions, order)
      })
    }
    if (claims.length === 0) return places
    const collapses = await this.#table.claim(day, claims)
    for (const [i, { key, order }] of claimants.entries()) places.set(key, inOwnOrder(collapses[i]!, order))
    return places
  }
}
