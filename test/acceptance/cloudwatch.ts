import { after } from 'node:test'
import { CloudWatchClient, GetMetricDataCommand, type Dimension } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient, paginateGetLogEvents, ResourceNotFoundException } from '@aws-sdk/client-cloudwatch-logs'
import { eventually } from './harness.js'

const MINUTE_MS = 60_000
/** Seconds in which the clocks of this machine and of CloudWatch may differ, and more. */
const MARGIN_MS = 5 * MINUTE_MS

export interface MetricId {
  Namespace: string
  MetricName: string
  Dimensions?: Dimension[]
}

export interface Reading {
  SampleCount: number
  Sum: number
  Minimum: number
  Maximum: number
  Average: number
}

export interface ReadEvent {
  timestamp: number
  message: string
}

const cloudwatch = new CloudWatchClient()
const logs = new CloudWatchLogsClient()
after(() => {
  cloudwatch.destroy()
  logs.destroy()
})

/** One statistic, minute by minute in ascending order, with the start of each minute in Unix milliseconds. */
export async function readMinutes (Metric: MetricId, Stat: string, from: number): Promise<Array<{ minute: number, value: number }>> {
  const { MetricDataResults } = await cloudwatch.send(new GetMetricDataCommand({
    StartTime: new Date(Math.floor(from / MINUTE_MS) * MINUTE_MS),
    EndTime: new Date(Date.now() + MARGIN_MS),
    ScanBy: 'TimestampAscending',
    MetricDataQueries: [{ Id: 'm', MetricStat: { Metric, Stat, Period: MINUTE_MS / 1000 } }]
  }))
  const { Timestamps = [], Values = [] } = MetricDataResults![0]!
  return Timestamps.map((timestamp, index) => ({ minute: timestamp.getTime(), value: Values[index]! }))
}

/** What is stored since `from`, once it is as many samples as expected or more. */
export async function readMetric (metric: MetricId, samples: number, from: number): Promise<Reading> {
  const values = async (stat: string) => (await readMinutes(metric, stat, from)).map(({ value }) => value)
  const total = (numbers: number[]): number => numbers.reduce((sum, value) => sum + value, 0)
  const SampleCount = await eventually(`${samples} samples of ${metric.MetricName}`, async () => {
    const found = total(await values('SampleCount'))
    return found >= samples ? found : undefined
  })
  const [sums, minima, maxima] = await Promise.all([values('Sum'), values('Minimum'), values('Maximum')])
  const Sum = total(sums)
  return { SampleCount, Sum, Minimum: Math.min(...minima), Maximum: Math.max(...maxima), Average: Sum / SampleCount }
}

async function getLogEvents (logGroupName: string, logStreamName: string): Promise<ReadEvent[]> {
  const found: ReadEvent[] = []
  try {
    // The last page repeats its token, and so ends the pages.
    for await (const { events } of paginateGetLogEvents({ client: logs, stopOnSameToken: true }, { logGroupName, logStreamName, startFromHead: true, startTime: 0 })) {
      for (const { timestamp, message } of events ?? []) found.push({ timestamp: timestamp!, message: message! })
    }
  } catch (error) {
    if (!(error instanceof ResourceNotFoundException)) throw error
  }
  return found
}

/** The events of a stream in CloudWatch's order, once there are as many as expected or more. */
export async function readLogEvents (logGroupName: string, logStreamName: string, expected: number): Promise<ReadEvent[]> {
  return await eventually(`${expected} events in ${logGroupName}`, async () => {
    const found = await getLogEvents(logGroupName, logStreamName)
    return found.length >= expected ? found : undefined
  })
}
