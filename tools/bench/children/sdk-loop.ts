/** The yardstick of delivery: PutLogEvents with ready-made full batches, by the SDK as it comes, and nothing else. */
import {
  CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand, type InputLogEvent
} from '@aws-sdk/client-cloudwatch-logs'
import { PUT_LOG_EVENTS as LIMIT } from '../../../schemas/aws-limits.js'
import { logMessage, MESSAGE_BYTES } from '../bodies.js'

/** Batches with different events, so that they do not all stay in a cache of the CPU. */
const BATCHES = 16
const EVENTS_IN_BATCH = Math.min(
  LIMIT.MAX_EVENTS, Math.floor(LIMIT.MAX_BYTES / (MESSAGE_BYTES + LIMIT.EVENT_OVERHEAD_BYTES))
)

const [total, concurrency] = process.argv.slice(2).map(Number) as [number, number]
const logs = new CloudWatchLogsClient()
const destination = { logGroupName: '/bench', logStreamName: 'loop' }

const batches = Array.from({ length: BATCHES }, (_batch, batch): InputLogEvent[] =>
  Array.from({ length: EVENTS_IN_BATCH }, (_event, index) =>
    ({ timestamp: Date.now(), message: logMessage(batch * EVENTS_IN_BATCH + index) })))

let left = total
let sent = 0
async function loop (): Promise<void> {
  while (left > 0) {
    const batch = batches[sent++ % BATCHES]!
    const logEvents = left >= batch.length ? batch : batch.slice(0, left)
    left -= logEvents.length
    await logs.send(new PutLogEventsCommand({ ...destination, logEvents }))
  }
}

await logs.send(new CreateLogGroupCommand(destination))
await logs.send(new CreateLogStreamCommand(destination))
await Promise.all(Array.from({ length: concurrency }, loop))
// Its CPU time is read from outside, after the last event has arrived; it is ended then.
setInterval(() => {}, 1_000)
