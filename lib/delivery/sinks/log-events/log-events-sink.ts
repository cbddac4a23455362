import type { CloudWatchLogsClient, RejectedLogEventsInfo } from '@aws-sdk/client-cloudwatch-logs'
import { PUT_LOG_EVENTS as LIMIT } from '../../../../schemas/aws-limits.js'
import type { RejectionReason } from '../../../../schemas/reasons.js'
import type { Failure } from '../../../resilience/failure.js'
import type { RateLimiter } from '../../../resilience/rate-limiter.js'
import type { StoredLogEvent } from '../../../items/item.js'
import { callApi } from '../api-call.js'
import { deliverBatches, halves } from '../deliver-batches.js'
import { LeaseItems } from '../lease-items.js'
import { cutLogBatches, logBatch, type LogBatch } from './log-batches.js'
import { LogDestinations, type LogDestinationsOptions } from './log-destinations.js'
import type { LogEventBuffer } from './log-event-buffer.js'
import type { DeliverContext, Sink } from '../sink.js'

const REJECTION_MESSAGES: Record<RejectionReason, string> = {
  'too-old': 'the event is more than 14 days old',
  'too-new': 'the event is more than 2 hours in the future',
  expired: 'the event is older than the retention period of the log group'
}

export interface LogEventsSinkOptions extends LogDestinationsOptions {
  /** Made with awsClientOptions(). */
  logs: CloudWatchLogsClient
  rateLimiters: LogDestinationsOptions['rateLimiters'] & { PutLogEvents: RateLimiter }
  createBuffer: () => LogEventBuffer
}

/** PutLogEvents; the destination of a lease is `logGroup:logStream`, and neither name can contain a colon. */
export function createLogEventsSink (options: LogEventsSinkOptions): Sink {
  const { logs, rateLimiters, createBuffer } = options
  const destinations = new LogDestinations(options)
  const unused: LogEventBuffer[] = []
  return {
    kind: 'logs',
    async deliver (lease, context) {
      const buffer = unused.pop() ?? createBuffer()
      buffer.clear()
      const items = await LeaseItems.open(lease, buffer)
      const [group, stream] = splitDestination(lease.destination)
      const names = { logGroupName: group, logStreamName: stream }

      const put = async (batch: LogBatch): Promise<Failure | null> => {
        const command = buffer.command(names, batch.events)
        const { output, failure } = await callApi({
          api: 'PutLogEvents',
          destination: lease.destination,
          items: batch.events.length,
          fill: Math.max(batch.events.length / LIMIT.MAX_EVENTS, batch.bytes / LIMIT.MAX_BYTES),
          send: options => logs.send(command, options)
        }, rateLimiters.PutLogEvents, context)
        if (failure === null) {
          settleTaken(
            items, batch, output.rejectedLogEventsInfo, output.$metadata.requestId, lease.destination, context
          )
          return null
        }
        if (failure.class !== 'already-accepted') return failure
        items.deliver(batch.events, undefined)
        return null
      }

      const failure = await deliverBatches<LogBatch>(cutLogBatches(buffer), {
        async put (batch) {
          const failure = await put(batch)
          if (failure?.class !== 'missing') return failure
          return await destinations.create(group, stream, lease.application ?? '', context) ?? await put(batch)
        },
        split: ({ events }) => halves(events)?.map(half => logBatch(buffer, half)) ?? null,
        refuse: ({ events }, message) => items.refuse(events[0]!, message)
      }, context)
      // After a failure the SDK may still be writing a body to a socket.
      if (failure === null) unused.push(buffer)
      return items.close(failure)
    }
  }
}

function splitDestination (destination: string): [group: string, stream: string] {
  const colon = destination.indexOf(':')
  return [destination.slice(0, colon), destination.slice(colon + 1)]
}

/** CloudWatch took the call; it may still have rejected events at either end of it. */
function settleTaken (
  items: LeaseItems<StoredLogEvent>,
  { events }: LogBatch,
  info: RejectedLogEventsInfo | undefined,
  requestId: string | undefined,
  destination: string,
  context: DeliverContext
): void {
  const acceptedEvents: number[] = []
  const rejected = new Map<RejectionReason, number>()
  events.forEach((event, index) => {
    const reason = rejectionOf(index, info)
    if (reason === null) {
      acceptedEvents.push(event)
      return
    }
    items.reject(event, reason, REJECTION_MESSAGES[reason])
    rejected.set(reason, (rejected.get(reason) ?? 0) + 1)
  })
  items.deliver(acceptedEvents, requestId)
  for (const [reason, count] of rejected) context.onRejected(destination, reason, count)
}

/**
 * Why CloudWatch rejected an event. An end index names the first event behind the rejected ones, a start index the
 * first.
 */
function rejectionOf (index: number, info: RejectedLogEventsInfo = {}): RejectionReason | null {
  if (index < (info.tooOldLogEventEndIndex ?? 0)) return 'too-old'
  if (index < (info.expiredLogEventEndIndex ?? 0)) return 'expired'
  if (index >= (info.tooNewLogEventStartIndex ?? Infinity)) return 'too-new'
  return null
}
