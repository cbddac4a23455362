import { PUT_METRIC_DATA, UNITS } from '../../../schemas/aws-limits.js'
import { cloudwatch } from '../aws-error.js'
import { listOf, numberOf, structureOf, structuresOf, textOf, type Input } from '../input.js'
import type { Datum, Dimension } from './metric-store.js'
import type { StatisticSet } from './statistics.js'

const UNIT_SET: ReadonlySet<string> = new Set(UNITS)
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/

/** @throws AwsError unless it is a list of at most `max` members */
export function requireAtMost (members: unknown[] | undefined, max: number, path: string): void {
  if (members !== undefined && members.length > max) {
    throw cloudwatch.invalidValue(`The collection ${path} must not have a size greater than ${max}.`)
  }
}

/** @throws AwsError unless it is there and 1 to `max` characters long */
export function requireText (text: string | undefined, max: number, path: string): string {
  if (text === undefined) throw cloudwatch.missing(`The parameter ${path} is required.`)
  if (text.length === 0) throw cloudwatch.invalidValue(`The parameter ${path} must be longer than 0 characters.`)
  if (text.length > max) {
    throw cloudwatch.invalidValue(`The parameter ${path} must be shorter than ${max + 1} characters.`)
  }
  return text
}

/** @throws AwsError unless it is a namespace that CloudWatch has or could have */
export function requireNamespace (text: string | undefined): string {
  const namespace = requireText(text, PUT_METRIC_DATA.MAX_NAMESPACE_LENGTH, 'Namespace')
  if (namespace.startsWith(':') || !PRINTABLE_ASCII.test(namespace)) {
    throw cloudwatch.invalidValue(`The value ${namespace} for parameter Namespace is invalid.`)
  }
  return namespace
}

/** @throws AwsError unless it is one of UNITS */
export function requireUnit (unit: string, path: string): string {
  if (!UNIT_SET.has(unit)) {
    throw cloudwatch.invalidValue(`The parameter ${path} must be a value in the set [ ${UNITS.join(', ')} ].`)
  }
  return unit
}

/** @throws AwsError unless a metric can have all of these dimensions */
export function requireDimensions (members: Input[], path: string): Dimension[] {
  requireAtMost(members, PUT_METRIC_DATA.MAX_DIMENSIONS, path)
  return members.map((member, index) => {
    const name = requireText(
      textOf(member, 'Name'), PUT_METRIC_DATA.MAX_DIMENSION_NAME_LENGTH, `${path}.member.${index + 1}.Name`
    )
    const value = requireText(
      textOf(member, 'Value'), PUT_METRIC_DATA.MAX_DIMENSION_VALUE_LENGTH, `${path}.member.${index + 1}.Value`
    )
    if (name.startsWith(':') || name.trim() === '' || !PRINTABLE_ASCII.test(name)) {
      throw cloudwatch.invalidValue(`The value ${name} for parameter ${path}.member.${index + 1}.Name is invalid.`)
    }
    if (value.trim() === '' || !PRINTABLE_ASCII.test(value)) {
      throw cloudwatch.invalidValue(`The value ${value} for parameter ${path}.member.${index + 1}.Value is invalid.`)
    }
    return { Name: name, Value: value }
  })
}

/**
 * Reads one member of MetricData.
 * @param now Unix milliseconds
 * @throws AwsError when PutMetricData would refuse it, and with it the whole call
 */
export function readDatum (member: unknown, index: number, now: number): Datum {
  const path = `MetricData.member.${index + 1}`
  const input = structureOf(member, path)
  return {
    metricName: requireText(textOf(input, 'MetricName'), PUT_METRIC_DATA.MAX_METRIC_NAME_LENGTH, `${path}.MetricName`),
    dimensions: requireDimensions(structuresOf(input, 'Dimensions') ?? [], `${path}.Dimensions`),
    timestamp: readTimestamp(input, path, now),
    unit: requireUnit(textOf(input, 'Unit') ?? 'None', `${path}.Unit`),
    resolution: readResolution(input, path),
    ...readPoints(input, path)
  }
}

function readTimestamp (input: Input, path: string, now: number): number {
  const seconds = numberOf(input, 'Timestamp')
  if (seconds === undefined) return now
  const timestamp = Math.round(seconds * 1_000)
  if (!(timestamp >= now - PUT_METRIC_DATA.MAX_AGE_MS)) {
    throw cloudwatch.invalidValue(`The parameter ${path}.Timestamp must specify a time within the past two weeks.`)
  }
  if (timestamp > now + PUT_METRIC_DATA.MAX_FUTURE_MS) {
    throw cloudwatch.invalidValue(
      `The parameter ${path}.Timestamp must specify a time no more than two hours in the future.`
    )
  }
  return timestamp
}

function readResolution (input: Input, path: string): number {
  const resolution = numberOf(input, 'StorageResolution') ?? PUT_METRIC_DATA.DEFAULT_STORAGE_RESOLUTION
  if (!(PUT_METRIC_DATA.STORAGE_RESOLUTIONS as readonly number[]).includes(resolution)) {
    throw cloudwatch.invalidValue(`The value ${resolution} for parameter ${path}.StorageResolution is invalid.`)
  }
  return resolution
}

function readPoints (input: Input, path: string): Pick<Datum, 'values' | 'counts' | 'set'> {
  const value = numberOf(input, 'Value')
  const values = listOf(input, 'Values')
  const counts = listOf(input, 'Counts')
  const set = input.StatisticValues ?? undefined
  requireOne({ Value: value, Values: values, StatisticValues: set }, path)
  if (counts !== undefined && values === undefined) {
    throw cloudwatch.invalidCombination(`The parameter ${path}.Counts can only be specified with ${path}.Values.`)
  }
  if (set !== undefined) {
    return { values: [], counts: [], set: readSet(structureOf(set, 'StatisticValues'), `${path}.StatisticValues`) }
  }
  if (values === undefined) return { values: [requireInRange(value, `${path}.Value`)], counts: [1], set: null }
  return { ...readValues(values, counts, path), set: null }
}

function requireOne (parameters: Record<string, unknown>, path: string): void {
  const given = Object.keys(parameters).filter(name => parameters[name] !== undefined)
  if (given.length === 0) {
    throw cloudwatch.missing(
      `At least one of the parameters ${Object.keys(parameters).map(name => `${path}.${name}`).join(', ')} must be ` +
        'specified.'
    )
  }
  if (given.length > 1) {
    throw cloudwatch.invalidCombination(
      `The parameters ${given.map(name => `${path}.${name}`).join(' and ')} are mutually exclusive and you have ` +
        'specified both.'
    )
  }
}

function readValues (values: unknown[], counts: unknown[] | undefined, path: string): Pick<Datum, 'values' | 'counts'> {
  requireAtMost(values, PUT_METRIC_DATA.MAX_VALUES, `${path}.Values`)
  requireAtMost(counts, PUT_METRIC_DATA.MAX_VALUES, `${path}.Counts`)
  if (values.length === 0) throw cloudwatch.missing(`The parameter ${path}.Values is required.`)
  if (counts !== undefined && counts.length !== values.length) {
    throw cloudwatch.invalidValue(`The parameters ${path}.Values and ${path}.Counts must be of the same size.`)
  }
  return {
    values: values.map((value, index) => requireInRange(value, `${path}.Values.member.${index + 1}`)),
    counts: values.map((_, index) => {
      const count = counts === undefined ? 1 : requireInRange(counts[index], `${path}.Counts.member.${index + 1}`)
      if (count < 0) {
        throw cloudwatch.invalidValue(`The value ${count} for parameter ${path}.Counts.member.${index + 1} is invalid.`)
      }
      return count
    })
  }
}

function readSet (input: Input, path: string): StatisticSet {
  const read = (name: string): number => {
    if (input[name] === undefined || input[name] === null) {
      throw cloudwatch.missing(`The parameter ${path}.${name} is required.`)
    }
    return requireInRange(input[name], `${path}.${name}`)
  }
  const set = { SampleCount: read('SampleCount'), Sum: read('Sum'), Minimum: read('Minimum'), Maximum: read('Maximum') }
  if (set.SampleCount <= 0) {
    throw cloudwatch.invalidValue(`The value ${set.SampleCount} for parameter ${path}.SampleCount is invalid.`)
  }
  if (set.Minimum > set.Maximum) {
    throw cloudwatch.invalidValue(`The parameter ${path}.Maximum must be greater than or equal to ${path}.Minimum.`)
  }
  return set
}

function requireInRange (given: unknown, path: string): number {
  const value = numberOf({ value: given }, 'value')
  // NaN must fail the comparisons.
  if (value === undefined || !(value === 0 || Math.abs(value) >= PUT_METRIC_DATA.MIN_ABSOLUTE_VALUE) ||
    !(Math.abs(value) <= PUT_METRIC_DATA.MAX_ABSOLUTE_VALUE)) {
    throw cloudwatch.invalidValue(`The value ${String(value)} for parameter ${path} is invalid.`)
  }
  return value
}
