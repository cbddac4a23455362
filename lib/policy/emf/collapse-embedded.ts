import { EMBEDDED_METRICS, PUT_LOG_EVENTS } from '../../../schemas/aws-limits.js'
import type { StoredDatum } from '../../items/item.js'
import { OTHER, type Dimension } from '../dimension-policy.js'
import { findEmbeddedMetrics, neutralize } from './embedded-metrics.js'
import { EmbeddedMetrics, type Directive, type EmbeddedDatum, type MetricDefinition } from './metric-directives.js'

/** Replaces the data points beyond the limits on series, in the array. */
export type CollapseDatums = (namespace: string, datums: StoredDatum[]) => void | Promise<void>

/** Each pass collapses at least one more dimension or name; an event that needs more passes loses its metrics. */
const MAX_PASSES = 8

/** The parts of one event that are beyond the limits. */
interface Excess {
  /** Dimensions whose value is collapsed. */
  dimensions: Set<string>
  /** Sets of dimensions that become the catch-all series: their indexes by directive. */
  sets: Map<Directive, Set<number>>
  /** Metrics whose name is collapsed. */
  metrics: Map<Directive, Set<MetricDefinition>>
}

function byNamespace (metrics: EmbeddedMetrics): Map<string, EmbeddedDatum[]> {
  const groups = new Map<string, EmbeddedDatum[]>()
  for (const embedded of metrics.datums()) {
    add(groups, embedded.directive.Namespace, () => [] as EmbeddedDatum[]).push(embedded)
  }
  return groups
}

function add<Key, Value> (map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) map.set(key, value = create())
  return value
}

/** The data points that CloudWatch would extract from an event that `EmfPolicy` has let through, by namespace. */
export function embeddedDatums (message: string): Array<[namespace: string, datums: StoredDatum[]]> {
  if (findEmbeddedMetrics(message) === null) return []
  return Array.from(byNamespace(new EmbeddedMetrics(message, 'message')), ([namespace, embedded]) =>
    [namespace, embedded.map(({ datum }) => datum)])
}

/**
 * Collapses the series beyond the limits in an event that `EmfPolicy` has let through. A dimension is a member of the
 * event, so its value becomes `__other__` for all metrics of the event. An event whose collapsed metrics cannot be
 * written loses its metrics, and keeps everything else.
 */
export async function collapseEmbedded (message: string, collapse: CollapseDatums): Promise<string> {
  let written = message
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const metrics = new EmbeddedMetrics(written, 'message')
    const excess = await findExcess(metrics, collapse)
    if (excess === null) return written
    if (!collapseExcess(metrics, excess)) break
    written = metrics.write()
    if (Buffer.byteLength(written) > PUT_LOG_EVENTS.MAX_EVENT_BYTES) break
  }
  return neutralize(message, { start: 0, end: message.length })
}

/** Null when the event is within the limits. */
async function findExcess (metrics: EmbeddedMetrics, collapse: CollapseDatums): Promise<Excess | null> {
  const excess: Excess = { dimensions: new Set(), sets: new Map(), metrics: new Map() }
  for (const [namespace, embedded] of byNamespace(metrics)) {
    const datums = embedded.map(({ datum }) => datum)
    await collapse(namespace, datums)
    for (const [i, collapsed] of datums.entries()) {
      if (collapsed !== embedded[i]!.datum) compare(embedded[i]!, collapsed, excess)
    }
  }
  return excess.dimensions.size + excess.sets.size + excess.metrics.size === 0 ? null : excess
}

function compare ({ directive, set, metric, datum }: EmbeddedDatum, collapsed: StoredDatum, excess: Excess): void {
  if (collapsed.MetricName !== datum.MetricName) {
    add(excess.metrics, directive, () => new Set<MetricDefinition>()).add(metric)
  }
  const [before, after] = [datum.Dimensions ?? [], collapsed.Dimensions ?? []]
  if (isCatchAll(after)) {
    if (!isCatchAll(before)) add(excess.sets, directive, () => new Set<number>()).add(set)
    return
  }
  for (const [i, { Name, Value }] of after.entries()) {
    if (Value !== before[i]!.Value) excess.dimensions.add(Name)
  }
}

function isCatchAll (dimensions: readonly Dimension[]): boolean {
  return dimensions.length === 1 && dimensions[0]!.Name === OTHER && dimensions[0]!.Value === OTHER
}

/** @returns false when the metrics cannot be written so */
function collapseExcess (metrics: EmbeddedMetrics, { dimensions, sets, metrics: names }: Excess): boolean {
  for (const name of dimensions) metrics.setMember(name, OTHER)
  if (names.size > 1) return false
  for (const [directive, definitions] of names) {
    if (!collapseNames(metrics, directive, definitions)) return false
  }
  const isMetric = metrics.directives.some(({ Metrics }) => Metrics.some(({ Name }) => Name === OTHER))
  for (const [directive, indexes] of sets) {
    // The member cannot be the value of a metric and of a dimension.
    for (const index of indexes) directive.Dimensions[index] = isMetric ? [] : [OTHER]
    if (!isMetric) metrics.setMember(OTHER, OTHER)
  }
  if (names.size > 0 || sets.size > 0) metrics.directivesChanged()
  return true
}

/** Makes one metric of those whose names are collapsed, with the values of all. */
function collapseNames (
  metrics: EmbeddedMetrics, directive: Directive, collapsed: ReadonlySet<MetricDefinition>
): boolean {
  const isUsedElsewhere = metrics.directives.some(({ Dimensions, Metrics }) =>
    Dimensions.some(names => names.includes(OTHER)) || (
      Metrics !== directive.Metrics && Metrics.some(({ Name }) => Name === OTHER)
    ))
  const merged = directive.Metrics.filter(metric => collapsed.has(metric) || metric.Name === OTHER)
  const values = [...new Set(merged.map(({ Name }) => Name))].flatMap(name => metrics.member(name) ?? [])
  if (isUsedElsewhere || values.length > EMBEDDED_METRICS.MAX_VALUES) return false
  const [{ Unit, StorageResolution }] = merged as [MetricDefinition]
  const definition: MetricDefinition = { Name: OTHER }
  if (Unit !== undefined && merged.every(metric => metric.Unit === Unit)) definition.Unit = Unit
  if (StorageResolution !== undefined && merged.every(metric => metric.StorageResolution === StorageResolution)) {
    definition.StorageResolution = StorageResolution
  }
  directive.Metrics = [...directive.Metrics.filter(metric => !merged.includes(metric)), definition]
  metrics.setMember(OTHER, values)
  return true
}
