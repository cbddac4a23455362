import { PUT_METRIC_DATA as LIMIT, UNITS } from '../../schemas/aws-limits.js'
import type { UnixMs } from '../../schemas/common.js'
import type { StoredDatum } from './item.js'
import { InvalidItem } from './item-error.js'
import { isObject, unknownField } from '../guards.js'
import { textError } from './names.js'
import { daysOrHours, readMetricTimestamp } from './timestamp.js'

const DATUM_FIELDS = new Set(
  ['MetricName', 'Dimensions', 'Timestamp', 'Value', 'Values', 'Counts', 'StatisticValues', 'Unit', 'StorageResolution']
)
const DIMENSION_FIELDS = new Set(['Name', 'Value'])
const STATISTIC_FIELDS = new Set(['SampleCount', 'Sum', 'Minimum', 'Maximum'])
const KNOWN_UNITS: ReadonlySet<unknown> = new Set(UNITS)
const KNOWN_RESOLUTIONS: ReadonlySet<unknown> = new Set(LIMIT.STORAGE_RESOLUTIONS)

/**
 * @param path of the data point in the request
 * @param field of the data point
 * @throws InvalidItem
 */
export function checkMetricName (value: unknown, path: string, field = '.MetricName'): void {
  if (typeof value !== 'string') throw new InvalidItem('invalid-item', `${path}${field} must be a string.`)
  const error = textError(value, LIMIT.MAX_METRIC_NAME_LENGTH)
  if (error !== null) throw new InvalidItem('invalid-name', `${path}${field} ${error}.`)
}

/** Whether CloudWatch takes this number as a value, a count or a statistic. */
export function isMetricValue (value: number): boolean {
  const size = Math.abs(value)
  return value === 0 || (size >= LIMIT.MIN_ABSOLUTE_VALUE && size <= LIMIT.MAX_ABSOLUTE_VALUE)
}

/** Null for a value that CloudWatch takes, else the rule it breaks. */
function valueError (value: unknown): string | null {
  if (typeof value !== 'number') return 'must be a number'
  if (isMetricValue(value)) return null
  return Math.abs(value) < 1 ? 'must be 0, or no nearer to it than 2^-360' : 'must be a number from -2^360 to 2^360'
}

function checkValue (value: unknown, path: string, field: string, index?: number): void {
  const error = valueError(value)
  if (error !== null) {
    throw new InvalidItem('invalid-value', `${path}${field}${index === undefined ? '' : `[${index}]`} ${error}.`)
  }
}

/** @throws InvalidItem invalid-dimension */
export function checkDimensions (dimensions: unknown, path: string, field = '.Dimensions'): void {
  if (!Array.isArray(dimensions)) throw new InvalidItem('invalid-dimension', `${path}${field} must be an array.`)
  if (dimensions.length > LIMIT.MAX_DIMENSIONS) {
    throw new InvalidItem('invalid-dimension', `${path}${field} must have at most ${LIMIT.MAX_DIMENSIONS} entries.`)
  }
  for (let i = 0; i < dimensions.length; i++) {
    const error = dimensionError(dimensions[i]) ?? repetitionError(dimensions, i)
    if (error !== null) throw new InvalidItem('invalid-dimension', `${path}${field}[${i}]${error}.`)
  }
}

/** Null for a dimension that CloudWatch takes, else the field of it and the rule it breaks. */
function dimensionError (dimension: unknown): string | null {
  if (!isObject(dimension)) return ' must be an object'
  const unknown = unknownField(dimension, DIMENSION_FIELDS)
  if (unknown !== undefined) return ` has the unknown field "${unknown}"`
  const { Name, Value } = dimension
  const nameError = dimensionTextError(Name, LIMIT.MAX_DIMENSION_NAME_LENGTH)
  if (nameError !== null) return `.Name ${nameError}`
  if ((Name as string).startsWith(':')) return '.Name must not start with a colon'
  const valueError = dimensionTextError(Value, LIMIT.MAX_DIMENSION_VALUE_LENGTH)
  return valueError === null ? null : `.Value ${valueError}`
}

function repetitionError (dimensions: Array<{ Name: string }>, index: number): string | null {
  for (let i = 0; i < index; i++) {
    if (dimensions[i]!.Name === dimensions[index]!.Name) return '.Name must not repeat the name of another dimension'
  }
  return null
}

function dimensionTextError (value: unknown, maxLength: number): string | null {
  return typeof value === 'string' ? textError(value, maxLength) : 'must be a string'
}

function checkValues (values: unknown, counts: unknown, path: string): void {
  if (!Array.isArray(values) || values.length === 0 || values.length > LIMIT.MAX_VALUES) {
    throw new InvalidItem('invalid-value', `${path}.Values must be an array of 1 to ${LIMIT.MAX_VALUES} numbers.`)
  }
  for (let i = 0; i < values.length; i++) checkValue(values[i], path, '.Values', i)
  if (counts === undefined) return
  if (!Array.isArray(counts) || counts.length !== values.length) {
    throw new InvalidItem('invalid-value', `${path}.Counts must be an array as long as Values.`)
  }
  for (let i = 0; i < counts.length; i++) {
    checkValue(counts[i], path, '.Counts', i)
    if (counts[i] < 0) throw new InvalidItem('invalid-value', `${path}.Counts[${i}] must not be negative.`)
  }
}

function checkStatistics (statistics: unknown, path: string): void {
  if (!isObject(statistics)) throw new InvalidItem('invalid-value', `${path}.StatisticValues must be an object.`)
  const unknown = unknownField(statistics, STATISTIC_FIELDS)
  if (unknown !== undefined) {
    throw new InvalidItem('invalid-item', `${path}.StatisticValues has the unknown field "${unknown}".`)
  }
  for (const field of STATISTIC_FIELDS) checkValue(statistics[field], path, `.StatisticValues.${field}`)
  if ((statistics.SampleCount as number) <= 0) {
    throw new InvalidItem('invalid-value', `${path}.StatisticValues.SampleCount must be above 0.`)
  }
  if ((statistics.Minimum as number) > (statistics.Maximum as number)) {
    throw new InvalidItem('invalid-value', `${path}.StatisticValues.Minimum must not be above Maximum.`)
  }
}

function checkMeasurement (datum: Record<string, unknown>, path: string): void {
  const { Value, Values, Counts, StatisticValues } = datum
  const valueFields = Number(Value !== undefined) + Number(Values !== undefined) + Number(StatisticValues !== undefined)
  if (valueFields !== 1) {
    throw new InvalidItem('invalid-value', `${path} must have exactly one of Value, Values and StatisticValues.`)
  }
  if (Counts !== undefined && Values === undefined) {
    throw new InvalidItem('invalid-value', `${path}.Counts must come with Values.`)
  }
  if (Value !== undefined) checkValue(Value, path, '.Value')
  else if (Values !== undefined) checkValues(Values, Counts, path)
  else checkStatistics(StatisticValues, path)
}

function readTimestamp (value: unknown, path: string, now: UnixMs): UnixMs {
  if (value === undefined) return now
  const timestamp = readMetricTimestamp(value)
  if (timestamp === null) {
    throw new InvalidItem('invalid-timestamp', `${path}.Timestamp must be ISO 8601 or Unix seconds.`)
  }
  if (timestamp < now - LIMIT.MAX_AGE_MS) {
    throw new InvalidItem(
      'too-old', `${path}.Timestamp must not be more than ${daysOrHours(LIMIT.MAX_AGE_MS)} in the past.`
    )
  }
  if (timestamp > now + LIMIT.MAX_FUTURE_MS) {
    throw new InvalidItem(
      'too-new', `${path}.Timestamp must not be more than ${daysOrHours(LIMIT.MAX_FUTURE_MS)} in the future.`
    )
  }
  return timestamp
}

/**
 * Checks one entry of MetricData against every rule of PutMetricData, and gives it the time that is stored.
 * @throws InvalidItem
 */
export function readMetricDatum (datum: unknown, index: number, now: UnixMs): StoredDatum {
  return readDatumAt(`MetricData[${index}]`, datum, now)
}

/**
 * `readMetricDatum` of a data point that stands anywhere in a request.
 * @throws InvalidItem
 */
export function readDatumAt (path: string, datum: unknown, now: UnixMs): StoredDatum {
  if (!isObject(datum)) throw new InvalidItem('invalid-item', `${path} must be an object.`)
  const unknown = unknownField(datum, DATUM_FIELDS)
  if (unknown !== undefined) throw new InvalidItem('invalid-item', `${path} has the unknown field "${unknown}".`)
  checkMetricName(datum.MetricName, path)
  if (datum.Dimensions !== undefined) checkDimensions(datum.Dimensions, path)
  checkMeasurement(datum, path)
  if (datum.Unit !== undefined && !KNOWN_UNITS.has(datum.Unit)) {
    throw new InvalidItem(
      'invalid-unit', `${path}.Unit must be one of CloudWatch's units, for example Milliseconds or Count.`
    )
  }
  if (datum.StorageResolution !== undefined && !KNOWN_RESOLUTIONS.has(datum.StorageResolution)) {
    throw new InvalidItem('invalid-value', `${path}.StorageResolution must be 1 or 60.`)
  }
  // Not spread into a new object: V8 would make a hidden class for each data point.
  datum.Timestamp = readTimestamp(datum.Timestamp, path, now)
  return datum as StoredDatum
}
