import {
  CloudWatchClient, GetMetricDataCommand, paginateListMetrics, type Metric, type MetricDataQuery
} from '@aws-sdk/client-cloudwatch'
import {
  CloudWatchLogsClient, paginateDescribeLogStreams, paginateFilterLogEvents
} from '@aws-sdk/client-cloudwatch-logs'
import { nameOf, type Dimension, type Sent } from './shop.js'

/** Minutes of the period in which everything is read: no moment is a boundary of all of these periods. */
const PERIOD_MINUTES = [60, 59, 58, 57]
const STATISTICS = ['SampleCount', 'Sum', 'p50', 'p99']

export interface Distribution {
  count: number
  sum: number
  p50: number
  p99: number
}

/** The data points and messages that CloudWatch returns. */
export interface Stored {
  /** Distributions by metric and dimension, as `PageLoad Page=/checkout`. */
  metrics: Map<string, Distribution>
  /** Messages by log stream. */
  messages: Map<string, string[]>
}

export interface Reader {
  /** @param from Unix milliseconds, before the first data point */
  read (namespace: string, logGroupName: string, from: number): Promise<Stored>
  close (): void
}

/** Reads through the AWS SDK, as a dashboard would. */
export function createReader (
  config: { endpoint: string, region: string, credentials: { accessKeyId: string, secretAccessKey: string } }
): Reader {
  const cloudwatch = new CloudWatchClient(config)
  const logs = new CloudWatchLogsClient(config)

  async function listMetrics (Namespace: string): Promise<Metric[]> {
    const found: Metric[] = []
    for await (const { Metrics } of paginateListMetrics({
      client: cloudwatch
    }, { Namespace })) found.push(...Metrics ?? [])
    return found
  }

  async function readMetrics (namespace: string, from: number): Promise<Stored['metrics']> {
    const metrics = await listMetrics(namespace)
    const period = wholePeriod(from, Date.now())
    const start = Math.floor(from / period) * period
    const MetricDataQueries = metrics.flatMap((Metric, index) => STATISTICS.map((Stat): MetricDataQuery => ({
      Id: `m${index}_${Stat.toLowerCase()}`,
      MetricStat: { Metric, Stat, Period: period / 1000 }
    })))
    const { MetricDataResults } = await cloudwatch.send(new GetMetricDataCommand({
      StartTime: new Date(start), EndTime: new Date(start + period), MetricDataQueries
    }))
    const values = MetricDataResults!.map(({ Values }) => Values![0]!)
    return new Map(metrics.map(({ MetricName, Dimensions }, index) => {
      const [count, sum, p50, p99] = values.slice(index * STATISTICS.length) as [number, number, number, number]
      return [nameOf(MetricName!, Dimensions![0] as Dimension), { count, sum, p50, p99 }]
    }))
  }

  async function readMessages (logGroupName: string): Promise<Stored['messages']> {
    const messages = new Map<string, string[]>()
    for await (const { logStreams } of paginateDescribeLogStreams({ client: logs }, { logGroupName })) {
      for (const { logStreamName } of logStreams ?? []) messages.set(logStreamName!, [])
    }
    for await (const { events } of paginateFilterLogEvents({ client: logs }, { logGroupName })) {
      for (const { logStreamName, message } of events ?? []) messages.get(logStreamName!)!.push(message!)
    }
    return messages
  }

  return {
    async read (namespace, logGroupName, from) {
      const [metrics, messages] = await Promise.all([readMetrics(namespace, from), readMessages(logGroupName)])
      return { metrics, messages }
    },
    close () {
      cloudwatch.destroy()
      logs.destroy()
    }
  }
}

/** Milliseconds of a period that both moments lie in. */
function wholePeriod (from: number, to: number): number {
  const periods = PERIOD_MINUTES.map(minutes => minutes * 60_000)
  return periods.find(period => Math.floor(from / period) === Math.floor(to / period)) ?? periods[0]!
}

/** The percentile by nearest rank, which is always a value that was sent. */
export function percentile (values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(p * sorted.length / 100) - 1)]!
}

function distributionOf (values: number[]): Distribution {
  return {
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    p50: percentile(values, 50),
    p99: percentile(values, 99)
  }
}

export interface Comparison {
  /** A series, as `PageLoad Page=/checkout`, or a log stream. */
  name: string
  sent: number
  stored: number
  /** The median of the values that CloudWatch returns; null for log events. */
  p50: number | null
  p99: number | null
  same: boolean
}

/** Compares value for value and message for message, and lists those that were only sent or only stored. */
export function compare (sent: Sent, stored: Stored): Comparison[] {
  const metrics = union(sent.values, stored.metrics).map((name): Comparison => {
    const expected = distributionOf(sent.values.get(name) ?? [])
    const found = stored.metrics.get(name)
    return {
      name,
      sent: expected.count,
      stored: found?.count ?? 0,
      p50: found?.p50 ?? null,
      p99: found?.p99 ?? null,
      same: found !== undefined && JSON.stringify(found) === JSON.stringify(expected)
    }
  })
  const streams = union(sent.messages, stored.messages).map((name): Comparison => {
    const [expected, found] = [sent.messages.get(name) ?? [], stored.messages.get(name) ?? []]
    const same = JSON.stringify([...expected].sort()) === JSON.stringify([...found].sort())
    return { name, sent: expected.length, stored: found.length, p50: null, p99: null, same }
  })
  return [...metrics, ...streams]
}

function union (a: Map<string, unknown>, b: Map<string, unknown>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort()
}
