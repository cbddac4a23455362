import { PutMetricDataCommand, type CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { PUT_METRIC_DATA as LIMIT } from '../../../../schemas/aws-limits.js'
import type { RateLimiter } from '../../../resilience/rate-limiter.js'
import { countDatum } from '../../../spool/record.js'
import { isStoredDatum, type StoredDatum } from '../../../items/item.js'
import { Aggregator, aggregate, type MergedDatum } from './aggregate.js'
import { callApi } from '../api-call.js'
import { deliverBatches, halves } from '../deliver-batches.js'
import { LeaseItems } from '../lease-items.js'
import { cutMetricBatches, metricBatch, type MetricBatch } from './metric-batches.js'
import type { Sink } from '../sink.js'

/** A merged datum, whose sources are indexes in the lease. */
type Merged = MergedDatum<number>
type Batch = MetricBatch<Merged>

export interface MetricsSinkOptions {
  /** Made with awsClientOptions(). */
  cloudwatch: CloudWatchClient
  rateLimiter: RateLimiter
}

/**
 * PutMetricData; the destination of a lease is its namespace.
 *
 * Every data point is in one datum of one call, so a call that fails gives back its own data points, as they were
 * stored, and those of no other call.
 */
export function createMetricsSink ({ cloudwatch, rateLimiter }: MetricsSinkOptions): Sink {
  return {
    kind: 'metrics',
    async deliver (lease, context) {
      const namespace = lease.destination
      const aggregator = new Aggregator<number>()
      const items = await LeaseItems.open<StoredDatum>(lease, {
        isItem: isStoredDatum,
        count: countDatum,
        add: (datum, index) => aggregator.add(datum, index)
      })
      const failure = await deliverBatches<Batch>(cutMetricBatches(namespace, aggregator.merged()), {
        async put (batch) {
          const { output, failure } = await callApi({
            api: 'PutMetricData',
            destination: namespace,
            items: batch.datums.reduce((sum, { sources }) => sum + sources.length, 0),
            fill: Math.max(batch.datums.length / LIMIT.MAX_DATUMS, batch.bytes / LIMIT.MAX_BYTES),
            send: options =>
              cloudwatch.send(new PutMetricDataCommand({
                Namespace: namespace,
                MetricData: batch.datums.map(forSdk)
              }), options)
          }, rateLimiter, context)
          if (failure === null) {
            for (const { sources } of batch.datums) items.deliver(sources, output.$metadata.requestId)
          }
          return failure
        },
        split: ({ datums }) => (halves(datums) ?? unmerge(datums[0]!, items))?.map(part =>
          metricBatch(namespace, part)) ??
          null,
        refuse: ({ datums }, message) => items.refuse(datums[0]!.sources[0]!, message)
      }, context)
      return items.close(failure)
    }
  }
}

/** The data points that a refused datum stands for, to be sent one by one; null when it stands for one. */
function unmerge ({ sources }: Merged, items: LeaseItems<StoredDatum>): Merged[][] | null {
  return halves(sources.flatMap(source => aggregate([[items.item(source), source]])))
}

function forSdk ({ datum }: Merged) {
  return { ...datum, Timestamp: new Date(datum.Timestamp) }
}
