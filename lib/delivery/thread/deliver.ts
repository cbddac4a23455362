/** What a thread runs that delivers to AWS. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { API_TPS, type RateLimitedApi } from '../../../schemas/aws-limits.js'
import { clientOptions, DEFAULT_TIMEOUTS } from '../aws-client-options.js'
import { createLogEventsSink } from '../sinks/log-events/log-events-sink.js'
import { createMetricsSink } from '../sinks/metrics/metrics-sink.js'
import { serveSinks } from './serve-sinks.js'

/** Of this thread alone: a quarter to a third of a core that all want, and all of one that nobody does. */
const BACKGROUND_NICENESS = 5

/** What the thread is given; credentials and endpoints are found by the SDK's own rules. */
export interface DeliverSettings {
  region: string
  requestTimeoutMs: number
  /** The process takes requests too, which come first where there are not enough cores for both. */
  background: boolean
}

const { region, requestTimeoutMs, background } = workerData as DeliverSettings
// Linux alone gives every thread a priority of its own; elsewhere it would be that of the process.
if (background && process.platform === 'linux') setPriority(BACKGROUND_NICENESS)
const options = { region, ...clientOptions({ ...DEFAULT_TIMEOUTS, requestTimeoutMs }) }

serveSinks(parentPort!, Object.keys(API_TPS) as RateLimitedApi[], ({ rateLimiters, retentionDaysFor }) => [
  createMetricsSink({ cloudwatch: new CloudWatchClient(options), rateLimiter: rateLimiters.PutMetricData }),
  createLogEventsSink({ logs: new CloudWatchLogsClient(options), rateLimiters, retentionDaysFor })
])
