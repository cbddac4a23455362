/**
 * What AWS asks, in US dollars, for the estimates of usage and budgets: us-east-1, first tier, free tier ignored, so
 * that an estimate errs on the dear side there; other Regions may cost up to half as much again.
 * Nothing else in this project writes one of these numbers again.
 */

const GB = 2 ** 30
const DAYS_A_MONTH = 30

/** {@link https://aws.amazon.com/cloudwatch/pricing/} */
export const PRICES = {
  /** Ingestion into log groups of the class Standard; $0.50 a GB. An event counts its bytes in UTF-8 and 26 more. */
  LOG_BYTE: 0.50 / GB,
  /** Custom metrics are billed by the hour in which they get data; $0.30 a month. Here: a whole day for each day with data. */
  SERIES_DAY: 0.30 / DAYS_A_MONTH,
  /** PutMetricData; $0.01 for 1,000 requests. */
  PUT_METRIC_DATA_CALL: 0.01 / 1_000
} as const

/** Usage that costs money. */
export interface Billed {
  logBytes: number
  /** Distinct metrics in the sense of CloudWatch: name and dimensions. */
  series: number
  putMetricDataCalls: number
}

export interface Dollars {
  logs: number
  series: number
  calls: number
  total: number
}

export function dollarsOf ({ logBytes, series, putMetricDataCalls }: Billed): Dollars {
  const logs = logBytes * PRICES.LOG_BYTE
  const metrics = series * PRICES.SERIES_DAY
  const calls = putMetricDataCalls * PRICES.PUT_METRIC_DATA_CALL
  return { logs, series: metrics, calls, total: logs + metrics + calls }
}
