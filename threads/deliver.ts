/** What a thread runs that delivers to AWS. */
import { parentPort, workerData } from 'node:worker_threads'
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import { API_TPS, type PacedApi } from '../lib/limits.js'
import { clientOptions, DEFAULT_TIMEOUTS } from '../lib/sinks/client-options.js'
import { createLogEventsSink } from '../lib/sinks/log-events.js'
import { createMetricsSink } from '../lib/sinks/metrics.js'
import { serveSinks } from '../lib/sinks/thread/serve-sinks.js'

/** What the thread is given; credentials and endpoints are found by the SDK's own rules. */
export interface DeliverSettings {
  region: string
  requestTimeoutMs: number
}

const { region, requestTimeoutMs } = workerData as DeliverSettings
const options = { region, ...clientOptions({ ...DEFAULT_TIMEOUTS, requestTimeoutMs }) }

serveSinks(parentPort!, Object.keys(API_TPS) as PacedApi[], ({ paces, retentionDaysFor }) => [
  createMetricsSink({ cloudwatch: new CloudWatchClient(options), pace: paces.PutMetricData }),
  createLogEventsSink({ logs: new CloudWatchLogsClient(options), paces, retentionDaysFor })
])
