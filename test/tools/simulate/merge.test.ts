import t from 'tap'
import { Random } from '../../../tools/shared/random.js'
import { cutLogBatches } from '../../../lib/delivery/sinks/log-events/log-batches.js'
import { Aggregator } from '../../../lib/delivery/sinks/metrics/aggregate.js'
import { TextLogEventBuffer } from '../../../lib/delivery/sinks/log-events/text-log-event-buffer.js'
import { cutMetricBatches } from '../../../lib/delivery/sinks/metrics/metric-batches.js'
import { countDatum } from '../../../lib/spool/record.js'
import type { StoredDatum } from '../../../lib/items/item.js'
import { logRequest, metricRequest } from '../../../tools/simulate/merge.js'
import { DEFAULT_FLOWS, sizesOf } from '../../../tools/simulate/scenario.js'

const START = Date.UTC(2026)
const MINUTE_MS = 60_000
const POINTS = 20_000

function near (actual: number, expected: number, tolerance: number): boolean {
  return Math.abs(actual / expected - 1) <= tolerance
}

/** What the sink makes of points of random series and values. */
function merge (series: number, values: number, minutes: number) {
  const random = new Random(1)
  const aggregator = new Aggregator<number>()
  let itemBytes = 0
  for (let i = 0; i < POINTS; i++) {
    const item: StoredDatum = {
      MetricName: 'PageLoad',
      Dimensions: [{ Name: 'Page', Value: `/page/${random.int(0, series - 1)}` }],
      Unit: 'Milliseconds',
      Value: 100 + random.int(0, values - 1),
      Timestamp: START + Math.floor(i * minutes * MINUTE_MS / POINTS)
    }
    itemBytes += countDatum(item)
    aggregator.add(item, i)
  }
  const merged = aggregator.merged()
  return { datums: merged.length, calls: cutMetricBatches('shop', merged).length, itemBytes: Math.round(itemBytes / POINTS) }
}

t.test('data points merge into as many datums and calls as the sink makes of them', async t => {
  for (const [series, values, minutes] of [[10, 100, 1], [100, 500, 1], [1_000, 500, 1], [5_000, 1_000, 1], [30_000, 1_000, 1], [100, 800, 5], [12, 20_000, 2]] as const) {
    const { datums, calls, itemBytes } = merge(series, values, minutes)
    const flow = { ...DEFAULT_FLOWS.metrics, destinations: 1, series, distinctValues: values, itemBytes }
    const request = metricRequest(POINTS, flow, START, START + minutes * MINUTE_MS - 1)
    t.ok(near(request.datums, datums, 0.1), `${series} series of ${values} values: ${request.datums} datums, ${datums} by the sink`)
    t.ok(Math.abs(request.calls - calls) <= Math.max(1, 0.1 * calls), `${request.calls} calls, ${calls} by the sink`)
  }
})

t.test('log events take as many calls as the sink makes of them', async t => {
  for (const itemBytes of [10, 100, 2_000]) {
    const flow = { ...DEFAULT_FLOWS.logs, itemBytes }
    const buffer = new TextLogEventBuffer()
    for (let i = 0; i < 12_000; i++) buffer.add([START, 'x'.repeat(itemBytes)])
    t.equal(logRequest(12_000, sizesOf(flow).counted).calls, cutLogBatches(buffer).length)
  }
})
