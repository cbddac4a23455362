import { cloudwatch } from '../aws-error.js'
import {
  decodeToken, encodeToken, flagOf, integerOf, numberOf, structureOf, structuresOf, textOf, type Answer, type Input
} from '../input.js'
import { requireDimensions, requireNamespace, requireText, requireUnit } from './datum.js'
import { alignStart, oldestReadable, requirePeriod, requireTimeRange } from './period.js'
import { isStatistic, parsePercentile, statistic } from './statistics.js'
import { inPeriods, type Dimension, type MetricStore } from './metric-store.js'

const MAX_QUERIES = 500
const MAX_DATAPOINTS = 100_800
const QUERY_ID = /^[a-z][a-zA-Z0-9_]{0,254}$/

interface Query {
  id: string
  label: string
  returned: boolean
  namespace: string
  metricName: string
  dimensions: Dimension[]
  period: number
  stat: string
  unit: string | undefined
}

interface Point {
  timestamp: number
  value: number
}

/** Reads metrics, many at a time; each point merges all units unless the query names one. */
export function createGetMetricData (store: MetricStore, now: () => number) {
  return function getMetricData (input: Input): Answer {
    const queries = readQueries(structuresOf(input, 'MetricDataQueries') ?? [])
    const { start, end } = requireTimeRange(input)
    if (start >= end) throw cloudwatch.validation('The parameter StartTime must be less than the parameter EndTime.')
    const ascending = readScanBy(textOf(input, 'ScanBy'))
    const max = integerOf(input, 'MaxDatapoints') ?? MAX_DATAPOINTS
    if (max < 1 || max > MAX_DATAPOINTS) {
      throw cloudwatch.validation(`The parameter MaxDatapoints must be between 1 and ${MAX_DATAPOINTS}.`)
    }

    const series = queries.filter(query => query.returned).map(query => {
      const points = readPoints(query, start, end)
      return { query, points: ascending ? points : points.reverse() }
    })
    return { body: page(series, readOffset(textOf(input, 'NextToken')), max) }
  }

  function readPoints (query: Query, start: number, end: number): Point[] {
    const series = store.find(query.namespace, query.metricName, query.dimensions)
    if (series === null) return []
    return inPeriods(series, {
      start: alignStart(start, query.period),
      end,
      period: query.period,
      ...(query.unit === undefined ? {} : { unit: query.unit }),
      oldest: oldestReadable(query.period, now()),
      byUnit: false
    }).flatMap(({ timestamp, distribution }) => {
      const value = statistic(distribution, query.stat)
      return value === null ? [] : [{ timestamp, value }]
    })
  }
}

/** A page is the next `max` points, counted through the queries one after the other. */
function page (series: { query: Query, points: Point[] }[], offset: number, max: number): object {
  const total = series.reduce((sum, { points }) => sum + points.length, 0)
  let before = 0
  const MetricDataResults = series.map(({ query, points }) => {
    const from = Math.max(0, offset - before)
    const to = Math.max(0, Math.min(points.length, offset + max - before))
    before += points.length
    const shown = points.slice(from, to)
    return {
      Id: query.id,
      Label: query.label,
      Timestamps: shown.map(({ timestamp }) => timestamp / 1_000),
      Values: shown.map(({ value }) => value),
      StatusCode: to < points.length ? 'PartialData' : 'Complete'
    }
  })
  const next = offset + max < total ? { NextToken: encodeToken({ offset: offset + max }) } : {}
  return { MetricDataResults, Messages: [], ...next }
}

function readOffset (token: string | undefined): number {
  if (token === undefined) return 0
  const offset = decodeToken(token)?.offset
  if (!Number.isInteger(offset)) throw cloudwatch.invalidNextToken()
  return offset as number
}

function readScanBy (scanBy: string = 'TimestampDescending'): boolean {
  if (scanBy !== 'TimestampDescending' && scanBy !== 'TimestampAscending') {
    throw cloudwatch.validation(`The value ${scanBy} for parameter ScanBy is invalid.`)
  }
  return scanBy === 'TimestampAscending'
}

function readQueries (members: Input[]): Query[] {
  if (members.length === 0) throw cloudwatch.missing('The parameter MetricDataQueries is required.')
  if (members.length > MAX_QUERIES) {
    throw cloudwatch.validation(`The collection MetricDataQueries must not have a size greater than ${MAX_QUERIES}.`)
  }
  const queries = members.map(readQuery)
  if (new Set(queries.map(({ id }) => id)).size < queries.length) {
    throw cloudwatch.validation('The values for parameter id in MetricDataQueries are not unique.')
  }
  return queries
}

function readQuery (input: Input, index: number): Query {
  const path = `MetricDataQueries.member.${index + 1}`
  const id = textOf(input, 'Id')
  if (id === undefined) throw cloudwatch.missing(`The parameter ${path}.Id is required.`)
  if (!QUERY_ID.test(id)) {
    throw cloudwatch.validation(
      `The value ${id} for parameter ${path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.`
    )
  }
  if (textOf(input, 'Expression') !== undefined) {
    throw cloudwatch.validation(`The sandbox does not evaluate ${path}.Expression.`)
  }
  if (input.MetricStat === undefined) throw cloudwatch.missing(`The parameter ${path}.MetricStat is required.`)

  const metricStat = structureOf(input.MetricStat, 'MetricStat')
  const metric = structureOf(metricStat.Metric, 'Metric')
  const stat = requireText(textOf(metricStat, 'Stat'), 255, `${path}.MetricStat.Stat`)
  if (!isStatistic(stat) && parsePercentile(stat) === null) {
    throw cloudwatch.validation(`The value ${stat} for parameter ${path}.MetricStat.Stat is not supported.`)
  }
  const unit = textOf(metricStat, 'Unit')
  const metricName = requireText(textOf(metric, 'MetricName'), 255, `${path}.MetricStat.Metric.MetricName`)
  return {
    id,
    label: textOf(input, 'Label') ?? metricName,
    returned: flagOf(input, 'ReturnData') ?? true,
    namespace: requireNamespace(textOf(metric, 'Namespace')),
    metricName,
    dimensions: requireDimensions(structuresOf(metric, 'Dimensions') ?? [], `${path}.MetricStat.Metric.Dimensions`),
    period: requirePeriod(numberOf(metricStat, 'Period'), `${path}.MetricStat.Period`),
    stat,
    unit: unit === undefined ? unit : requireUnit(unit, `${path}.MetricStat.Unit`)
  }
}
