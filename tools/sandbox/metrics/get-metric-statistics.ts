import { cloudwatch } from '../aws-error.js'
import { numberOf, structuresOf, textOf, textsOf, type Answer, type Input } from '../input.js'
import { requireDimensions, requireNamespace, requireText, requireUnit } from './datum.js'
import { alignStart, oldestReadable, requirePeriod, requireTimeRange } from './period.js'
import { isStatistic, parsePercentile, statistic } from './statistics.js'
import { inPeriods, type MetricStore, type PeriodPoints } from './metric-store.js'

const MAX_DATAPOINTS = 1_440

/** Reads one metric; points of different units stay apart. */
export function createGetMetricStatistics (store: MetricStore, now: () => number) {
  return function getMetricStatistics (input: Input): Answer {
    const namespace = requireNamespace(textOf(input, 'Namespace'))
    const metricName = requireText(textOf(input, 'MetricName'), 255, 'MetricName')
    const dimensions = requireDimensions(structuresOf(input, 'Dimensions') ?? [], 'Dimensions')
    const { start, end } = requireTimeRange(input)
    if (start >= end) {
      throw cloudwatch.invalidCombination('The parameter StartTime must be less than the parameter EndTime.')
    }
    const period = requirePeriod(numberOf(input, 'Period'), 'Period')
    requireFewPoints((end - start) / (period * 1_000))
    const unit = textOf(input, 'Unit')
    if (unit !== undefined) requireUnit(unit, 'Unit')
    const { statistics, extended } = readStatistics(input)

    const series = store.find(namespace, metricName, dimensions)
    const points = series === null
      ? []
      : inPeriods(series, {
        start: alignStart(start, period),
        end,
        period,
        ...(unit === undefined ? {} : { unit }),
        oldest: oldestReadable(period, now()),
        byUnit: true
      })
    return { body: { Label: metricName, Datapoints: points.map(point => toDatapoint(point, statistics, extended)) } }
  }
}

function requireFewPoints (points: number): void {
  if (points > MAX_DATAPOINTS) {
    throw cloudwatch.invalidCombination(
      `You have requested up to ${Math.ceil(points).toLocaleString('en')} datapoints, which exceeds the limit of ` +
        `${MAX_DATAPOINTS.toLocaleString('en')}. You may reduce the datapoints requested by increasing Period, or ` +
        'decreasing the time range.'
    )
  }
}

function readStatistics (input: Input): { statistics: string[], extended: string[] } {
  const statistics = textsOf(input, 'Statistics') ?? []
  const extended = textsOf(input, 'ExtendedStatistics') ?? []
  if (statistics.length === 0 && extended.length === 0) {
    throw cloudwatch.missing('At least one of the parameters Statistics, ExtendedStatistics must be specified.')
  }
  if (statistics.length > 0 && extended.length > 0) {
    throw cloudwatch.invalidCombination(
      'The parameters Statistics and ExtendedStatistics are mutually exclusive and you have specified both.'
    )
  }
  const invalid = statistics.find(name => !isStatistic(name)) ?? extended.find(name => parsePercentile(name) === null)
  if (invalid !== undefined) {
    throw cloudwatch.invalidValue(
      `The value ${invalid} for parameter ${statistics.length > 0 ? 'Statistics' : 'ExtendedStatistics'} is invalid.`
    )
  }
  return { statistics, extended }
}

function toDatapoint (
  { timestamp, unit, distribution }: PeriodPoints, statistics: string[], extended: string[]
): object {
  const datapoint: Record<string, unknown> = { Timestamp: timestamp / 1_000, Unit: unit }
  for (const name of statistics) datapoint[name] = statistic(distribution, name)
  if (extended.length > 0) {
    const known = extended.map(name => [name, statistic(distribution, name)] as const).filter(([, value]) =>
      value !== null)
    datapoint.ExtendedStatistics = Object.fromEntries(known)
  }
  return datapoint
}
