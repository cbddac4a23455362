import type { ApplicationUsage } from '../../schemas/usage.js'

/**
 * Prices of AWS in US dollars, for the estimates of usage and budgets: us-east-1, first tier, free tier ignored, so
 * that an estimate is rather too high there; other Regions may cost up to half as much again. No other file states one
 * of these prices.
 */

const GB = 2 ** 30
const DAYS_A_MONTH = 30

/** {@link https://aws.amazon.com/cloudwatch/pricing/} */
export const PRICES = {
  /** Ingestion into log groups of the class Standard: $0.50 a GB. An event counts its bytes in UTF-8 and 26 more. */
  LOG_BYTE: 0.50 / GB,
  /** A custom metric: $0.30 a month, billed by the hour with data. Estimated as a whole day for each day with data. */
  SERIES_DAY: 0.30 / DAYS_A_MONTH,
  /** A call of PutMetricData: $0.01 for 1,000. */
  PUT_METRIC_DATA_CALL: 0.01 / 1_000
} as const

/** The usage that AWS bills. */
export interface BilledUsage {
  logBytes: number
  /** Distinct metrics in the sense of CloudWatch: namespace, name and dimensions. */
  series: number
  putMetricDataCalls: number
}

export type Dollars = ApplicationUsage['dollars']

export function dollarsOf ({ logBytes, series, putMetricDataCalls }: BilledUsage): Dollars {
  const logs = logBytes * PRICES.LOG_BYTE
  const metrics = series * PRICES.SERIES_DAY
  const calls = putMetricDataCalls * PRICES.PUT_METRIC_DATA_CALL
  return { logs, series: metrics, calls, total: logs + metrics + calls }
}
