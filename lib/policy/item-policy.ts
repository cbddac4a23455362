import { readBrowser, truncateIp } from './client-info.js'
import { createDimensionPolicy, type Dimension, type DimensionPolicy, type DimensionRules } from './dimension-policy.js'
import { editJson, isJson, startsWith } from './json-editor.js'
import { checkMessageSize } from '../items/log-event.js'
import { checkDimensions, checkMetricName } from '../items/metric-datum.js'
import type { StoredDatum, StoredLogEvent } from '../items/item.js'
import { createRedactor, type RedactionRules, type Redactor } from './redaction/redactor.js'

/** What an application wants done to its items before they are stored. */
export interface ItemPolicySettings {
  dimensions: DimensionRules
  redaction: RedactionRules
  context: { ip?: boolean | undefined, userAgent?: boolean | undefined }
}

/** Who sent the items; an HTTP request is one. */
export interface ClientInfo {
  readonly ip: string
  readonly headers: { readonly 'user-agent'?: string | undefined }
}

/** Names of what is added about the client, as a dimension and as a field of a log message. */
const IP = { dimension: 'Ip', field: '_ip' } as const
const USER_AGENT = { dimension: 'UserAgent', field: '_userAgent' } as const
const UNKNOWN = 'unknown'

type Facts = ReadonlyArray<readonly [name: typeof IP | typeof USER_AGENT, value: string]>

/** @throws Refusal */
export type DatumRule = (datum: StoredDatum, index: number) => StoredDatum
/** @throws Refusal */
export type LogEventRule = (event: StoredLogEvent, index: number) => StoredLogEvent

function describe (client: ClientInfo | null, { ip, userAgent }: ItemPolicySettings['context']): Facts {
  if (client === null) return []
  return [
    ...(ip === true ? [[IP, truncateIp(client.ip) ?? UNKNOWN] as const] : []),
    ...(userAgent === true ? [[USER_AGENT, readBrowser(client.headers['user-agent'])] as const] : [])
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

/** What the client says about itself does not count beside what the gateway sees. */
function addDimensions (dimensions: Dimension[], facts: Facts): Dimension[] {
  const names = new Set<string>(facts.map(([{ dimension }]) => dimension))
  return [...dimensions.filter(({ Name }) => !names.has(Name)), ...facts.map(([{ dimension }, Value]) => ({ Name: dimension, Value }))]
}

function addFields (message: string, facts: Facts): string {
  if (startsWith(message, '{') && isJson(message)) {
    return editJson(message, { add: new Map(facts.map(([{ field }, value]) => [field, JSON.stringify(value)])) })
  }
  return `${message} ${facts.map(([{ field }, value]) => `${field}=${JSON.stringify(value)}`).join(' ')}`
}

/** One application's rules; each is null when there is nothing to do. */
export class ItemPolicy {
  readonly #settings: ItemPolicySettings
  readonly #redactor: Redactor | null
  readonly #policy: DimensionPolicy | null
  readonly #addsContext: boolean

  /** @param onFolded called for each value of an unknown dimension that is folded */
  constructor (settings: ItemPolicySettings, onFolded: () => void) {
    this.#settings = settings
    this.#redactor = createRedactor(settings.redaction)
    this.#policy = createDimensionPolicy(settings.dimensions, onFolded)
    this.#addsContext = settings.context.ip === true || settings.context.userAgent === true
  }

  /**
   * For the data points of one request.
   * @param client null: the gateway itself
   */
  forDatums (client: ClientInfo | null): DatumRule | null {
    if (this.#redactor === null && this.#policy === null && !this.#addsContext) return null
    const facts = describe(client, this.#settings.context)
    return (datum, index) => this.#treatDatum(datum, `MetricData[${index}]`, facts)
  }

  /** For the log events of one request. */
  forLogEvents (client: ClientInfo | null): LogEventRule | null {
    if (this.#redactor === null && !this.#addsContext) return null
    const facts = describe(client, this.#settings.context)
    return ([timestamp, message], index) => {
      let treated = this.#redactor === null ? message : this.#redactor.message(message)
      if (facts.length > 0) treated = addFields(treated, facts)
      if (treated !== message) checkMessageSize(treated, `logEvents[${index}].message, with what was redacted and added,`)
      return [timestamp, treated]
    }
  }

  #treatDatum (datum: StoredDatum, path: string, facts: Facts): StoredDatum {
    const given = datum.Dimensions ?? []
    let dimensions = this.#redactor === null ? given : redactDimensions(given, this.#redactor) ?? given
    if (this.#policy !== null) dimensions = this.#policy.apply(dimensions, `${path}.Dimensions`)
    if (facts.length > 0) dimensions = addDimensions(dimensions, facts)
    const name = this.#redactor?.text(datum.MetricName) ?? datum.MetricName
    if (name !== datum.MetricName) checkMetricName(name, path, '.MetricName, with what was redacted,')
    if (dimensions !== given) checkDimensions(dimensions, path, '.Dimensions, with what was redacted and added,')
    return name === datum.MetricName && dimensions === given ? datum : { ...datum, MetricName: name, Dimensions: dimensions }
  }
}
