import type { EmfTreatment } from '../../../schemas/applications.js'
import { MAX_ITEMS, type UnixMs } from '../../../schemas/common.js'
import { InvalidItem } from '../../items/item-error.js'
import { checkMessageSize } from '../../items/log-event.js'
import type { DimensionPolicy } from '../dimension-policy.js'
import { findEmbeddedMetrics, neutralize, type EmbeddedObject } from './embedded-metrics.js'
import { EmbeddedMetrics } from './metric-directives.js'

/**
 * Looks at the message of a log event, after everything else was done to it.
 * @returns the message as it may be stored
 * @throws InvalidItem
 */
export type EmfPolicy = (message: string, index: number) => string

/** The rules that the metrics of one request are held to. */
export interface EmfContext {
  now: UnixMs
  /** Milliseconds to add to the client's timestamps. */
  skew: number
  /** Whether the token allows data points for this namespace. */
  allowsNamespace (namespace: string): boolean
  dimensions: DimensionPolicy | null
}

export interface EmfSettings {
  emf: EmfTreatment
  /** Called for each log event that is an embedded metric; must not throw. */
  onEmbeddedMetric (treatment: EmfTreatment): void
}

/**
 * The policy of an application for log events from which CloudWatch would extract metrics.
 * @param context of the one request that the policy is for, when its metrics are allowed
 */
export function createEmfPolicy ({ emf, onEmbeddedMetric }: EmfSettings, context?: EmfContext): EmfPolicy {
  let series = 0
  return (message, index) => {
    const embedded = findEmbeddedMetrics(message)
    if (embedded === null) return message
    onEmbeddedMetric(emf)
    const path = `logEvents[${index}].message`
    if (emf === 'refuse') {
      throw new InvalidItem(
        'invalid-item', `${path} is an embedded metric (EMF), and the application allows no metrics in log events.`
      )
    }
    if (emf === 'neutralize') return neutralize(message, embedded)
    const metrics = readWhole(message, embedded, path)
    const allowed = allow(metrics, path, context!)
    series += metrics.datums().length
    if (series > MAX_ITEMS) {
      throw new InvalidItem(
        'invalid-item', `${path} must leave the embedded metrics of the request with at most ${MAX_ITEMS} series.`
      )
    }
    return allowed
  }
}

/** @throws InvalidItem when anything but the object is in the message */
function readWhole (message: string, { start, end }: EmbeddedObject, path: string): EmbeddedMetrics {
  if (start !== 0 || end !== message.length) {
    throw new InvalidItem(
      'invalid-item', `${path} is an embedded metric (EMF), which must be one JSON object and nothing else.`
    )
  }
  return new EmbeddedMetrics(message, path)
}

/** Holds the metrics to the rules for data points of the same token. @throws InvalidItem */
function allow (
  metrics: EmbeddedMetrics, path: string, { now, skew, allowsNamespace, dimensions }: EmfContext
): string {
  for (const { Namespace } of metrics.directives) {
    if (!allowsNamespace(Namespace)) {
      throw new InvalidItem(
        'invalid-item', `${path} has metrics for the namespace "${Namespace}", which the access token does not allow.`
      )
    }
  }
  metrics.repairTime(now - skew, skew)
  metrics.datums()
  if (dimensions !== null) applyDimensionPolicy(metrics, dimensions, path)
  const written = metrics.write()
  checkMessageSize(written, `${path}, with its metrics changed,`)
  return written
}

/** @throws InvalidItem */
function applyDimensionPolicy (metrics: EmbeddedMetrics, policy: DimensionPolicy, path: string): void {
  let changed = false
  for (const directive of metrics.directives) {
    directive.Dimensions = directive.Dimensions.map(names => {
      const dimensions = names.map(Name => ({ Name, Value: metrics.member(Name) as string }))
      const applied = policy.apply(dimensions, `${path}, dimensions of the namespace "${directive.Namespace}",`)
      if (applied === dimensions) return names
      changed = true
      for (const { Name, Value } of applied) {
        if (metrics.member(Name) !== Value) metrics.setMember(Name, Value)
      }
      return applied.map(({ Name }) => Name)
    })
  }
  if (changed) metrics.directivesChanged()
}
