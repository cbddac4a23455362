import { PUT_LOG_EVENTS } from '../../schemas/aws-limits.js'
import { dollarsOf, type Dollars } from '../../lib/usage/aws-prices.js'
import type { Flow, FlowKind, Scenario } from './scenario.js'
import type { Totals } from './simulation.js'

const DAYS_A_MONTH = 30
export const MONTH_SECONDS = DAYS_A_MONTH * 86_400

/** The cost of all accepted items, in dollars a month. */
export interface Costs {
  aggregated: Dollars
  /** The cost if each request were one call. */
  direct: Dollars
  /** Calls per second: the mean of the run, and the number if each request were one call. */
  calls: Record<FlowKind, { aggregated: number, direct: number }>
}

/** @param totals the totals of a run of this scenario, at its end */
export function costsOf (scenario: Scenario, { accepted, offered, calls }: Totals): Costs {
  const share = offered === 0 ? 0 : accepted / offered
  const sumOf = (kind: FlowKind, figure: (flow: Flow) => number): number =>
    scenario.flows.filter(flow => flow.kind === kind).reduce((sum, flow) => sum + figure(flow), 0) * share
  const requests = (kind: FlowKind): number => sumOf(kind, flow => flow.requestsPerSecond)
  const logBytes = MONTH_SECONDS * sumOf('logs', ({ requestsPerSecond, itemsPerRequest, itemBytes }) =>
    requestsPerSecond * itemsPerRequest * (itemBytes + PUT_LOG_EVENTS.EVENT_OVERHEAD_BYTES))
  const series = scenario.flows.reduce((sum, flow) => sum + flow.series, 0) * DAYS_A_MONTH
  const rates = {
    logs: { aggregated: calls.logs.taken / scenario.seconds, direct: requests('logs') },
    metrics: { aggregated: calls.metrics.taken / scenario.seconds, direct: requests('metrics') }
  }
  const dollars = (callsPerSecond: number): Dollars =>
    dollarsOf({ logBytes, series, putMetricDataCalls: callsPerSecond * MONTH_SECONDS })
  return { aggregated: dollars(rates.metrics.aggregated), direct: dollars(rates.metrics.direct), calls: rates }
}
