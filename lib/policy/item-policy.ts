import type { Application } from '../../schemas/applications.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { checkMessageSize } from '../items/log-event.js'
import { checkDimensions, checkMetricName } from '../items/metric-datum.js'
import { readBrowser, truncateIp, type ClientInfo } from './client-info.js'
import { createDimensionPolicy, type Dimension, type DimensionPolicy } from './dimension-policy.js'
import { editJson, isJson, startsWithAny } from './json-editor.js'
import { FieldNames } from './redaction/field-names.js'
import { redactFields } from './redaction/fields.js'
import { createRedactor, type Redactor } from './redaction/redactor.js'

/** The settings of an application for its items, before they are stored. */
export type ItemPolicySettings = Pick<Application, 'dimensions' | 'redaction' | 'context'>

/** How a fact about the client is named as a dimension, and as a field of a log message. */
const IP = { dimension: 'Ip', field: '_ip', names: new FieldNames(['_ip']) } as const
const USER_AGENT = { dimension: 'UserAgent', field: '_userAgent', names: new FieldNames(['_userAgent']) } as const
const UNKNOWN = 'unknown'

/** The facts about the client that are added to its items. */
type ClientFacts = ReadonlyArray<readonly [name: typeof IP | typeof USER_AGENT, value: string]>

/** @throws InvalidItem */
export type DatumPolicy = (datum: StoredDatum, index: number) => StoredDatum
/** @throws InvalidItem */
export type LogEventPolicy = (event: StoredLogEvent, index: number) => StoredLogEvent

function factsOf (clientInfo: ClientInfo | null, { ip, userAgent }: ItemPolicySettings['context']): ClientFacts {
  if (clientInfo === null) return []
  return [
    ...(ip === true ? [[IP, truncateIp(clientInfo.address ?? '') ?? UNKNOWN] as const] : []),
    ...(userAgent === true ? [[USER_AGENT, readBrowser(clientInfo.headers['user-agent'])] as const] : [])
  ]
}

/** Null when nothing was redacted. */
function redactDimensions (dimensions: Dimension[], redactor: Redactor): Dimension[] | null {
  let changed = false
  const redacted = dimensions.map(dimension => {
    const Name = redactor.text(dimension.Name)
    const Value = redactor.value(dimension.Name, dimension.Value)
    if (Name === dimension.Name && Value === dimension.Value) return dimension
    changed = true
    return { Name, Value }
  })
  return changed ? redacted : null
}

/** A fact that the gateway sees replaces a dimension in which the client states it. */
function addDimensions (dimensions: Dimension[], facts: ClientFacts): Dimension[] {
  const names = new Set<string>(facts.map(([{ dimension }]) => dimension))
  return [
    ...dimensions.filter(({ Name }) => !names.has(Name)),
    ...facts.map(([{ dimension }, Value]) => ({ Name: dimension, Value }))
  ]
}

/** A fact that the gateway sees replaces one that the client states. */
function addFields (message: string, facts: ClientFacts): string {
  if (startsWithAny(message, '{') && isJson(message)) {
    return editJson(message, { add: new Map(facts.map(([{ field }, value]) => [field, JSON.stringify(value)])) })
  }
  const stated = facts.reduce((text, [{ names }, value]) => redactFields(text, names, value), message)
  return `${stated} ${facts.map(([{ field }, value]) => `${field}=${JSON.stringify(value)}`).join(' ')}`
}

/** The policy of one application for its items. */
export class ItemPolicy {
  readonly #settings: ItemPolicySettings
  readonly #redactor: Redactor | null
  /** Null when every dimension is taken as it comes. */
  readonly dimensionPolicy: DimensionPolicy | null
  readonly #addsContext: boolean

  /** @param onCollapsed called for each value of an unknown dimension that is collapsed */
  constructor (settings: ItemPolicySettings, onCollapsed: () => void) {
    this.#settings = settings
    this.#redactor = createRedactor(settings.redaction)
    this.dimensionPolicy = createDimensionPolicy(settings.dimensions, onCollapsed)
    this.#addsContext = settings.context.ip === true || settings.context.userAgent === true
  }

  /**
   * The policy for the data points of one request; null when none of them is changed.
   * @param clientInfo null for items of the gateway itself
   */
  forDatums (clientInfo: ClientInfo | null): DatumPolicy | null {
    if (this.#redactor === null && this.dimensionPolicy === null && !this.#addsContext) return null
    const facts = factsOf(clientInfo, this.#settings.context)
    return (datum, index) => this.#treatDatum(datum, `MetricData[${index}]`, facts)
  }

  /** The policy for the log events of one request, likewise. */
  forLogEvents (clientInfo: ClientInfo | null): LogEventPolicy | null {
    if (this.#redactor === null && !this.#addsContext) return null
    const facts = factsOf(clientInfo, this.#settings.context)
    return ([timestamp, message], index) => {
      let treated = this.#redactor === null ? message : this.#redactor.message(message)
      if (facts.length > 0) treated = addFields(treated, facts)
      if (treated !== message) checkMessageSize(treated, `logEvents[${index}].message, after redaction and additions,`)
      return [timestamp, treated]
    }
  }

  #treatDatum (datum: StoredDatum, path: string, facts: ClientFacts): StoredDatum {
    const sentDimensions = datum.Dimensions ?? []
    const redactor = this.#redactor
    let dimensions = redactor === null ? sentDimensions : redactDimensions(sentDimensions, redactor) ?? sentDimensions
    if (this.dimensionPolicy !== null) dimensions = this.dimensionPolicy.apply(dimensions, `${path}.Dimensions`)
    if (facts.length > 0) dimensions = addDimensions(dimensions, facts)
    const name = redactor?.text(datum.MetricName) ?? datum.MetricName
    if (name !== datum.MetricName) checkMetricName(name, path, '.MetricName, after redaction,')
    if (dimensions !== sentDimensions) checkDimensions(dimensions, path, '.Dimensions, after redaction and additions,')
    return name === datum.MetricName && dimensions === sentDimensions
      ? datum
      : { ...datum, MetricName: name, Dimensions: dimensions }
  }
}
