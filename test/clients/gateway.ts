/** The gateway that the clients call; orval's client reads its address where it is generated. */
export const gateway = { url: process.argv[2]!, clientToken: process.argv[3]! }

export const METRIC = {
  params: { Namespace: 'generated', MetricData: [{ MetricName: 'm', Value: 1, Unit: 'Count' as const }] }
}
export const LOG_EVENTS = { logGroupName: '/generated', logStreamName: 's', logEvents: [{ message: 'typed' }] }

/** What came of the calls of one client. */
export interface Outcome {
  /** Data points and log events that were accepted. */
  accepted: Array<number | undefined>
  /** The code of the error that a request without a token meets. */
  code: number | undefined
}
