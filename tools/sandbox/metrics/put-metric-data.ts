import { PUT_METRIC_DATA } from '../../../schemas/aws-limits.js'
import { cloudwatch, entityTooLarge } from '../aws-error.js'
import { listOf, textOf, type Answer, type Input } from '../input.js'
import { readDatum, requireAtMost, requireNamespace } from './datum.js'
import type { Datum, MetricStore } from './metric-store.js'

export interface PutMetricDataOptions {
  now: () => number
  /** Null: data points are counted and not kept. */
  store: MetricStore | null
}

function countPoints (datum: Datum): number {
  return datum.set?.SampleCount ?? datum.counts.reduce((sum, count) => sum + count, 0)
}

/** Takes all members of MetricData, or refuses the call and takes none. */
export function createPutMetricData ({ now, store }: PutMetricDataOptions) {
  return function putMetricData (input: Input, bytes: number): Answer {
    if (bytes > PUT_METRIC_DATA.HARD_MAX_BYTES) throw entityTooLarge(PUT_METRIC_DATA.HARD_MAX_BYTES)
    const namespace = requireNamespace(textOf(input, 'Namespace'))
    if (namespace.startsWith('AWS/')) {
      throw cloudwatch.invalidValue('The value AWS/ for parameter Namespace is invalid.')
    }
    if (listOf(input, 'EntityMetricData') !== undefined) {
      throw cloudwatch.invalidValue('The sandbox does not take EntityMetricData.')
    }
    const members = listOf(input, 'MetricData') ?? []
    if (members.length === 0) throw cloudwatch.missing('The parameter MetricData is required.')
    requireAtMost(members, PUT_METRIC_DATA.MAX_DATUMS, 'MetricData')

    const received = now()
    const datums = members.map((member, index) => readDatum(member, index, received))
    if (store !== null) for (const datum of datums) store.put(namespace, datum)
    return {
      body: {},
      delivered: {
        items: datums.length,
        stored: datums.reduce((sum, datum) => sum + countPoints(datum), 0),
        bytes,
        fill: Math.max(datums.length / PUT_METRIC_DATA.MAX_DATUMS, Math.min(1, bytes / PUT_METRIC_DATA.MAX_BYTES))
      }
    }
  }
}
