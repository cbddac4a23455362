import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { PacedApi } from '../lib/limits.js'
import type { Pace } from '../lib/pace.js'
import { clientOptions, DEFAULT_TIMEOUTS } from '../lib/sinks/client-options.js'
import { createLogEventsSink } from '../lib/sinks/log-events.js'
import { createMetricsSink } from '../lib/sinks/metrics.js'
import type { Sink } from '../lib/sinks/sink.js'

export interface AwsSettings {
  region: string
  requestTimeoutMs: number
}

export interface AwsSinksOptions extends AwsSettings {
  paces: Record<PacedApi, Pace>
  retentionDaysFor: (group: string) => number | undefined
}

export interface AwsSinks {
  metrics: Sink
  logs: Sink
  close (): Promise<void>
}

/** The sinks of both APIs and their clients, whose credentials and endpoints are found by the SDK's own rules. */
export function createAwsSinks ({ region, requestTimeoutMs, paces, retentionDaysFor }: AwsSinksOptions): AwsSinks {
  const options = { region, ...clientOptions({ ...DEFAULT_TIMEOUTS, requestTimeoutMs }) }
  const cloudwatch = new CloudWatchClient(options)
  const logs = new CloudWatchLogsClient(options)
  return {
    metrics: createMetricsSink({ cloudwatch, pace: paces.PutMetricData }),
    logs: createLogEventsSink({ logs, paces, retentionDaysFor }),
    async close () {
      cloudwatch.destroy()
      logs.destroy()
    }
  }
}
