import type { Action } from '../input.js'
import { createGetMetricData } from './get-metric-data.js'
import { createGetMetricStatistics } from './get-metric-statistics.js'
import { createListMetrics } from './list-metrics.js'
import { createPutMetricData } from './put-metric-data.js'
import type { MetricStore } from './metric-store.js'

/** The actions of CloudWatch, by name. */
export function createMetricActions (
  store: MetricStore, options: { now: () => number, keepItems: boolean }
): Record<string, Action> {
  return {
    PutMetricData: createPutMetricData({ now: options.now, store: options.keepItems ? store : null }),
    GetMetricData: createGetMetricData(store, options.now),
    GetMetricStatistics: createGetMetricStatistics(store, options.now),
    ListMetrics: createListMetrics(store, options.now)
  }
}
