import { EMBEDDED_METRICS as LIMIT, PUT_METRIC_DATA } from '../../../schemas/aws-limits.js'
import type { UnixMs } from '../../../schemas/common.js'
import type { MetricDatum } from '../../../schemas/metric.js'
import { isObject } from '../../guards.js'
import type { StoredDatum } from '../../items/item.js'
import { InvalidItem } from '../../items/item-error.js'
import { checkDimensions, readDatumAt } from '../../items/metric-datum.js'
import { namespaceError } from '../../items/names.js'
import { editJson } from '../json-editor.js'
import { DIRECTIVES, METADATA } from './embedded-metrics.js'

const NAMESPACE = new RegExp(LIMIT.NAMESPACE_PATTERN)
/** Series that one log event may have a value for: each dimension set of each metric is one. */
const MAX_SERIES = 1_000

export interface MetricDefinition {
  Name: string
  Unit?: MetricDatum['Unit']
  StorageResolution?: MetricDatum['StorageResolution']
}

/** A directive by which CloudWatch extracts each metric once for each set of dimensions. */
export interface Directive {
  Namespace: string
  /** Names of members of the event, whose values are the values of the dimensions. */
  Dimensions: string[][]
  Metrics: MetricDefinition[]
}

/** One data point that CloudWatch would extract. */
export interface EmbeddedDatum {
  directive: Directive
  /** Index in `directive.Dimensions`. */
  set: number
  metric: MetricDefinition
  datum: StoredDatum
}

type Members = Record<string, unknown>

/** A member of the event by its name; a field of its prototype is none. */
function memberOf (members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

/** Names of members in the whole JSON, and how many of them a parser keeps. */
function hasRepeatedMember (json: string, parsed: unknown): boolean {
  let writtenMembers = 0
  editJson(json, { name () { writtenMembers++; return undefined } })
  let parsedMembers = 0
  const waiting = [parsed]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const members = Object.values(value)
    if (!Array.isArray(value)) parsedMembers += members.length
    // Not spread into the call, which takes a limited number of arguments.
    for (const member of members) waiting.push(member)
  }
  return writtenMembers !== parsedMembers
}

/** A log event that CloudWatch extracts metrics from, with the parts by which it does so. */
export class EmbeddedMetrics {
  readonly #json: string
  readonly #members: Members
  readonly #metadata: Members
  /** The path of the directives in messages to the client. */
  readonly #path: string
  readonly #directives: Directive[]
  /** Members to be replaced in the event, as JSON. */
  readonly #edits = new Map<string, string>()

  /**
   * Reads an embedded metric, and holds it to the form of the Embedded Metric Format.
   * @param json of a whole message
   * @param path of the message
   * @throws InvalidItem
   */
  constructor (json: string, path: string) {
    this.#json = json
    const parsed = JSON.parse(json) as Members
    if (hasRepeatedMember(json, parsed)) {
      throw new InvalidItem('invalid-item', `${path} is an embedded metric (EMF), which must not have a member twice.`)
    }
    this.#members = parsed
    const metadata = memberOf(parsed, METADATA)
    const isNested = isObject(metadata) && DIRECTIVES in metadata
    if (isNested === DIRECTIVES in parsed) {
      throw new InvalidItem('invalid-item', `${path} must have ${DIRECTIVES} once, in ${METADATA}.`)
    }
    if (!isNested && parsed.Version !== '0') throw new InvalidItem('invalid-item', `${path}.Version must be "0".`)
    this.#metadata = isNested ? metadata : parsed
    this.#path = isNested ? `${path}.${METADATA}` : path
    this.#directives = this.#readDirectives()
  }

  get directives (): readonly Directive[] {
    return this.#directives
  }

  /** The value of a dimension. */
  member (name: string): unknown {
    return memberOf(this.#members, name)
  }

  setMember (name: string, value: unknown): void {
    this.#members[name] = value
    this.#edits.set(name, JSON.stringify(value))
  }

  /** To be called after a directive was changed: `write` then writes the directives anew. */
  directivesChanged (): void {
    for (const directive of this.#directives) {
      const known = new Set<string>()
      directive.Dimensions = directive.Dimensions.filter(names => {
        const key = JSON.stringify([...names].sort())
        return !known.has(key) && known.add(key)
      })
    }
    this.#metadata[DIRECTIVES] = this.#directives
    this.#metadataChanged(DIRECTIVES)
  }

  /**
   * Moves the time of the metrics from the client's clock to the server's.
   * @throws InvalidItem for a time that CloudWatch would not take
   */
  repairTime (clientNow: UnixMs, skew: number): void {
    const timestamp = this.#metadata.Timestamp
    const path = `${this.#path}.Timestamp`
    if (!Number.isSafeInteger(timestamp)) {
      throw new InvalidItem('invalid-timestamp', `${path} must be Unix milliseconds, as a whole number.`)
    }
    const time = timestamp as UnixMs
    if (time < clientNow - PUT_METRIC_DATA.MAX_AGE_MS) {
      throw new InvalidItem('too-old', `${path} must not be more than 14 days in the past.`)
    }
    if (time > clientNow + PUT_METRIC_DATA.MAX_FUTURE_MS) {
      throw new InvalidItem('too-new', `${path} must not be more than 2 hours in the future.`)
    }
    if (skew === 0) return
    this.#metadata.Timestamp = time + skew
    this.#metadataChanged('Timestamp')
  }

  /**
   * The data points that CloudWatch would extract, held to its rules for data points.
   * @throws InvalidItem
   */
  datums (): EmbeddedDatum[] {
    const datums: EmbeddedDatum[] = []
    const resolutions = new Map<string, number>()
    for (const [d, directive] of this.#directives.entries()) {
      const path = this.#directivePath(d)
      const sets = directive.Dimensions.map((names, s) => this.#readSet(names, `${path}.Dimensions[${s}]`))
      for (const [m, metric] of directive.Metrics.entries()) {
        const datum = this.#readMetric(metric, resolutions, `${path}.Metrics[${m}]`)
        // CloudWatch ignores a metric without a value.
        if (datum === null) continue
        for (const [set, Dimensions] of sets.entries()) {
          datums.push({ directive, set, metric, datum: { ...datum, Dimensions } })
          if (datums.length > MAX_SERIES) {
            throw new InvalidItem('invalid-item', `${this.#path}.${DIRECTIVES} must make at most ${MAX_SERIES} series.`)
          }
        }
      }
    }
    return datums
  }

  /** The JSON of the event with all changes; parts that were not changed keep their form. */
  write (): string {
    return this.#edits.size === 0 ? this.#json : editJson(this.#json, { add: this.#edits })
  }

  #directivePath (index: number): string {
    return `${this.#path}.${DIRECTIVES}[${index}]`
  }

  /** @param name of the member of the metadata that has changed */
  #metadataChanged (name: string): void {
    if (this.#metadata === this.#members) this.#edits.set(name, JSON.stringify(this.#members[name]))
    else this.#edits.set(METADATA, JSON.stringify(this.#metadata))
  }

  #readDirectives (): Directive[] {
    const directives = this.#metadata[DIRECTIVES]
    if (!Array.isArray(directives)) {
      throw new InvalidItem('invalid-item', `${this.#path}.${DIRECTIVES} must be an array.`)
    }
    return directives.map((directive: unknown, d) => {
      const path = this.#directivePath(d)
      if (!isObject(directive)) throw new InvalidItem('invalid-item', `${path} must be an object.`)
      const { Namespace, Dimensions, Metrics } = directive
      if (typeof Namespace !== 'string') throw new InvalidItem('invalid-item', `${path}.Namespace must be a string.`)
      const error = namespaceError(Namespace) ??
        (NAMESPACE.test(Namespace) ? null : 'must be made of letters, digits, spaces and . - _ / # :')
      if (error !== null) throw new InvalidItem('invalid-name', `${path}.Namespace ${error}.`)
      if (!Array.isArray(Dimensions) || !Dimensions.every(isNames)) {
        throw new InvalidItem('invalid-dimension', `${path}.Dimensions must be an array of arrays of names.`)
      }
      if (!Array.isArray(Metrics) || !Metrics.every(isDefinition)) {
        throw new InvalidItem('invalid-item', `${path}.Metrics must be an array of objects with a Name.`)
      }
      if (Metrics.length > LIMIT.MAX_METRICS) {
        throw new InvalidItem('invalid-item', `${path}.Metrics must have at most ${LIMIT.MAX_METRICS} entries.`)
      }
      // Without a set a metric has one series, as with an empty one.
      return { Namespace, Dimensions: Dimensions.length === 0 ? [[]] : Dimensions, Metrics }
    })
  }

  /** @throws InvalidItem */
  #readSet (names: string[], path: string): NonNullable<StoredDatum['Dimensions']> {
    const long = names.find(name => name.length > LIMIT.MAX_DIMENSION_NAME_LENGTH)
    if (long !== undefined) {
      throw new InvalidItem(
        'invalid-dimension', `${path} must have names of at most ${LIMIT.MAX_DIMENSION_NAME_LENGTH} characters.`
      )
    }
    const dimensions = names.map(name => ({ Name: name, Value: this.member(name) as string }))
    const missing = dimensions.find(({ Value }) => typeof Value !== 'string')
    if (missing !== undefined) {
      throw new InvalidItem(
        'invalid-dimension', `${path} names "${missing.Name}", which must be a member of the event that is a string.`
      )
    }
    checkDimensions(dimensions, path, '')
    return dimensions
  }

  /**
   * The data point of a metric, without dimensions; null when the event has no value for it.
   * @throws InvalidItem
   */
  #readMetric (
    { Name, Unit, StorageResolution }: MetricDefinition, resolutions: Map<string, number>, path: string
  ): StoredDatum | null {
    const value = this.member(Name)
    const resolution = StorageResolution ?? PUT_METRIC_DATA.DEFAULT_STORAGE_RESOLUTION
    if ((resolutions.get(Name) ?? resolution) !== resolution) {
      throw new InvalidItem('invalid-value', `${path} must not give "${Name}" another StorageResolution than before.`)
    }
    resolutions.set(Name, resolution)
    const values = Array.isArray(value) ? value as number[] : [value === undefined ? 0 : value as number]
    if (values.length > LIMIT.MAX_VALUES) {
      throw new InvalidItem(
        'invalid-value', `${path} names "${Name}", which must have at most ${LIMIT.MAX_VALUES} values.`
      )
    }
    if (Array.isArray(value) && values.length === 0) return null
    const datum = readDatumAt(path, {
      MetricName: Name,
      Values: values,
      ...(Unit === undefined ? {} : { Unit }),
      ...(StorageResolution === undefined ? {} : { StorageResolution })
    }, this.#metadata.Timestamp as UnixMs)
    return value === undefined ? null : datum
  }
}

function isNames (value: unknown): value is string[] {
  return Array.isArray(value) && value.every(name => typeof name === 'string')
}

function isDefinition (value: unknown): value is MetricDefinition {
  return isObject(value) && typeof value.Name === 'string'
}
