/** The outcomes of the calls of one invocation. */
export interface CallCounts {
  /** Lines and parked calls that came in. */
  received: number
  /** Calls that the platform has taken. */
  metered: number
  /** Calls that were metered before. */
  duplicates: number
  skipped: number
  /** Calls that the platform will never take. */
  refused: number
  unreadable: number
  /** Calls to be sent again later. */
  parked: number
  /** Calls that were parked too often, and have become dead letters. */
  dropped: number
  /** The platform asks for another key or another address: an operator has to act. */
  configFaults: number
  /** Age of the oldest call in milliseconds. */
  lagMs: number
}

export function zeroCalls (): CallCounts {
  return {
    received: 0,
    metered: 0,
    duplicates: 0,
    skipped: 0,
    refused: 0,
    unreadable: 0,
    parked: 0,
    dropped: 0,
    configFaults: 0,
    lagMs: 0
  }
}

const NAMESPACE = 'Metering'
const METRICS: Record<keyof CallCounts, [name: string, unit: string]> = {
  received: ['Received', 'Count'],
  metered: ['Metered', 'Count'],
  duplicates: ['Duplicates', 'Count'],
  skipped: ['Skipped', 'Count'],
  refused: ['Refused', 'Count'],
  unreadable: ['Unreadable', 'Count'],
  parked: ['Parked', 'Count'],
  dropped: ['Dropped', 'Count'],
  configFaults: ['ConfigFaults', 'Count'],
  lagMs: ['Lag', 'Milliseconds']
}

/**
 * One line in the Embedded Metric Format, from which CloudWatch extracts metrics.
 * @param reason why calls were parked or dropped, which is no metric
 */
export function metricLine (counts: CallCounts, functionName: string, timestamp: number, reason?: string): string {
  return embeddedMetrics(METRICS, counts, functionName, timestamp, reason)
}

/** The faults of one invocation of the authorizer. */
export interface AuthorizerCounts {
  /** Nobody could say whether the client may call. */
  unknown: number
  /** The platform asks for another key or another address: an operator has to act. */
  configFaults: number
  /** The call had two client ids, and was refused without an answer that is kept; Lambda counts it as an error. */
  ambiguous: number
}

const AUTHORIZER_METRICS: Record<keyof AuthorizerCounts, [name: string, unit: string]> = {
  unknown: ['UnknownVerdicts', 'Count'],
  configFaults: ['ConfigFaults', 'Count'],
  ambiguous: ['AmbiguousClients', 'Count']
}

export function authorizerMetricLine (counts: AuthorizerCounts, functionName: string, timestamp: number): string {
  return embeddedMetrics(AUTHORIZER_METRICS, counts, functionName, timestamp)
}

function embeddedMetrics<Field extends string> (
  metrics: Record<Field, [name: string, unit: string]>,
  counts: Record<Field, number>,
  functionName: string,
  timestamp: number,
  reason?: string
): string {
  const fields = Object.entries(metrics) as Array<[Field, [name: string, unit: string]]>
  return JSON.stringify({
    _aws: {
      Timestamp: timestamp,
      CloudWatchMetrics: [{
        Namespace: NAMESPACE,
        Dimensions: [['FunctionName']],
        Metrics: fields.map(([, [Name, Unit]]) => ({ Name, Unit }))
      }]
    },
    FunctionName: functionName,
    ...Object.fromEntries(fields.map(([field, [name]]) => [name, counts[field]])),
    reason
  })
}

/** Writes lines to the log of the function; not through console, which would put a prefix before them. */
export function writeLine (line: string): void {
  process.stdout.write(`${line}\n`)
}

/** A line about something that went wrong. */
export function errorLine (message: string, fields: object = {}): string {
  return JSON.stringify({ level: 'error', message, ...fields })
}
