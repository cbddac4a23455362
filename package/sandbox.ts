import { parseFaultPlan, type FaultPlan, type FaultRule } from '../tools/sandbox/fault-plan.js'
import { startSandbox as start } from '../tools/sandbox/server.js'

export type { FaultKind, FaultPlan, FaultRule, RateLimit } from '../tools/sandbox/fault-plan.js'

export interface SandboxOptions {
  /** Port to listen on. Absent: a free one. */
  port?: number
  /** Address to listen on. Absent: 127.0.0.1. */
  host?: string
  /** False: log events and data points are checked and counted, and not kept. Absent: true. */
  keepItems?: boolean
}

/** A log event that was stored. */
export interface SandboxLogEvent {
  logGroupName: string
  logStreamName: string
  /** Unix milliseconds. */
  timestamp: number
  message: string
}

/** A metric with its data points, as they were stored: by second or by minute. */
export interface SandboxMetric {
  namespace: string
  metricName: string
  /** Sorted by name. */
  dimensions: Array<{ Name: string, Value: string }>
  buckets: Array<{
    /** Unix milliseconds at which the second or minute begins. */
    timestamp: number
    /** Seconds: 1 or 60. */
    resolution: number
    unit: string
    /** In ascending order, with a count for each. */
    values: number[]
    counts: number[]
    /** The data points that came as statistic sets, merged; null: none did. */
    statisticValues: { SampleCount: number, Sum: number, Minimum: number, Maximum: number } | null
  }>
}

/** A call to the API, answered or not. */
export interface SandboxCall {
  /** Its name in the API, such as `PutMetricData`. */
  action: string
  /** A namespace, a log group, or `logGroup:logStream`. */
  destination: string
  /** Data or log events in the request. */
  items: number
  /** Bytes of the body, decompressed. */
  bytes: number
  /** Unix milliseconds. */
  at: number
  /** HTTP status; 0 when there was no answer. */
  status: number
  /** The name of the error of AWS, or the kind of fault. */
  error?: string
}

export interface SandboxEnvironment {
  AWS_ENDPOINT_URL: string
  AWS_REGION: string
  AWS_ACCESS_KEY_ID: string
  AWS_SECRET_ACCESS_KEY: string
}

/** A CloudWatch and a CloudWatch Logs on loopback. */
export interface Sandbox {
  /** The value of AWS_ENDPOINT_URL for its clients. */
  readonly url: string
  readonly port: number
  /** The variables that have an AWS SDK, and so a gateway, call it: for the environment of their process. */
  readonly environment: SandboxEnvironment
  /** The stored log events, log stream by log stream in the order of their timestamps. */
  logEvents (logGroupName?: string): SandboxLogEvent[]
  metrics (namespace?: string): SandboxMetric[]
  /** The last 1,000 calls, the newest last. */
  calls (): SandboxCall[]
  /**
   * Has calls fail by these rules from now on, in place of those before.
   * @throws TypeError that names the field which is wrong
   */
  setFaults (plan: FaultPlan | FaultRule[]): void
  /** Removes everything that was stored, counted or set. */
  reset (): void
  /** Cuts every connection and ends. May be called twice. */
  stop (): Promise<void>
}

/** Any: the sandbox answers for each, and checks no signature. */
const REGION = 'us-east-1'
const CREDENTIAL = 'sandbox'

/**
 * Starts a CloudWatch and a CloudWatch Logs that enforce the limits of AWS, keep what they store in memory, and can be
 * told to fail.
 * @throws Error when the port is taken
 */
export async function startSandbox (options: SandboxOptions = {}): Promise<Sandbox> {
  const { port = 0, host = '127.0.0.1', keepItems = true } = options
  const sandbox = await start({ port, host, keepItems })
  return {
    url: sandbox.url,
    port: sandbox.port,
    environment: {
      AWS_ENDPOINT_URL: sandbox.url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: CREDENTIAL,
      AWS_SECRET_ACCESS_KEY: CREDENTIAL
    },
    logEvents: logGroupName => [...sandbox.items(logGroupName)],
    metrics: namespace => sandbox.series(namespace),
    calls: () => sandbox.calls(),
    setFaults: plan => sandbox.faults.set(parseFaultPlan(plan)),
    reset: () => sandbox.reset(),
    stop: () => sandbox.close()
  }
}
