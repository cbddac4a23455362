/** The module that the thread runs which delivers to CloudWatch. */
import { getPriority, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { API_TPS, type RateLimitedApi } from '../../../schemas/aws-limits.js'
import type { Config } from '../../../schemas/config.js'
import { awsClientOptions, type AwsClientSettings } from '../aws-client-options.js'
import { DecodedLogEventBuffer } from '../sinks/log-events/decoded-log-event-buffer.js'
import { createLogEventsSink } from '../sinks/log-events/log-events-sink.js'
import { TextLogEventBuffer } from '../sinks/log-events/text-log-event-buffer.js'
import { createMetricsSink } from '../sinks/metrics/metrics-sink.js'
import { serveSinks } from './serve-sinks.js'

/** The niceness of this thread alone, which gives way to requests, and may use an idle core in full. */
const BACKGROUND_NICENESS = 5

/** The data that the thread is started with. */
export interface DeliverSettings extends AwsClientSettings {
  /** The process takes requests too, which come first where there are not enough cores for both. */
  background: boolean
  logEventBuffer: Config['LOG_EVENT_BUFFER']
}

/** Only root may be less nice than it was started, and a sandbox may forbid the call: deliveries need neither. */
function giveWay (): void {
  try {
    setPriority(Math.max(getPriority(), BACKGROUND_NICENESS))
  } catch {}
}

const { background, logEventBuffer, ...clientSettings } = workerData as DeliverSettings
// Linux alone gives every thread a priority of its own; elsewhere it would be that of the process.
if (background && process.platform === 'linux') giveWay()
// A client cannot cross threads: this one makes its own, with the options of `fastify.aws`.
const options = awsClientOptions(clientSettings)
const createBuffer = () => logEventBuffer === 'decoded' ? new DecodedLogEventBuffer() : new TextLogEventBuffer()

serveSinks(parentPort!, Object.keys(API_TPS) as RateLimitedApi[], ({ rateLimiters, ...answers }) => [
  createMetricsSink({ cloudwatch: new CloudWatchClient(options), rateLimiter: rateLimiters.PutMetricData }),
  createLogEventsSink({ logs: new CloudWatchLogsClient(options), rateLimiters, ...answers, createBuffer })
])
