import { cloudwatch } from '../aws-error.js'
import { decodeToken, encodeToken, structuresOf, textOf, type Answer, type Input } from '../input.js'
import { requireText } from './datum.js'
import type { MetricStore, Series } from './metric-store.js'

const PAGE_SIZE = 500
const RECENTLY_ACTIVE_MS = 3 * 3_600_000

/** Lists the metrics that were ever put; the sandbox knows a metric at once, CloudWatch after up to 15 minutes. */
export function createListMetrics (store: MetricStore, now: () => number) {
  return function listMetrics (input: Input): Answer {
    const matches = createMatcher(input, now())
    const offset = readOffset(textOf(input, 'NextToken'))
    const found = [...store.all()].filter(matches)
    const next = offset + PAGE_SIZE < found.length ? { NextToken: encodeToken({ offset: offset + PAGE_SIZE }) } : {}
    return {
      body: {
        Metrics: found.slice(offset, offset + PAGE_SIZE).map(({ namespace, metricName, dimensions }) =>
          ({ Namespace: namespace, MetricName: metricName, Dimensions: dimensions })),
        ...next
      }
    }
  }
}

function createMatcher (input: Input, now: number): (series: Series) => boolean {
  const namespace = textOf(input, 'Namespace')
  const metricName = textOf(input, 'MetricName')
  const filters = (structuresOf(input, 'Dimensions') ?? []).map((filter, index) => ({
    name: requireText(textOf(filter, 'Name'), 255, `Dimensions.member.${index + 1}.Name`),
    value: textOf(filter, 'Value')
  }))
  const recentlyActive = textOf(input, 'RecentlyActive')
  if (recentlyActive !== undefined && recentlyActive !== 'PT3H') {
    throw cloudwatch.invalidValue(`The value ${recentlyActive} for parameter RecentlyActive is invalid.`)
  }
  return series =>
    (namespace === undefined || series.namespace === namespace) &&
    (metricName === undefined || series.metricName === metricName) &&
    (recentlyActive === undefined || series.newest >= now - RECENTLY_ACTIVE_MS) &&
    filters.every(({ name, value }) =>
      series.dimensions.some(dimension => dimension.Name === name &&
        (value === undefined || dimension.Value === value)))
}

function readOffset (token: string | undefined): number {
  if (token === undefined) return 0
  const offset = decodeToken(token)?.offset
  if (!Number.isInteger(offset)) throw cloudwatch.invalidNextToken()
  return offset as number
}
