import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import { createToken, putLogEvents, putMetric, type MetricDatum, type PutLogEvents403 } from './generated/kubb'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: MetricDatum = { MetricName: 'm', Value: 1, Unit: 'ms' }

export async function call (): Promise<Outcome> {
  const baseURL = gateway.url
  const { data: token } = await createToken({ clientToken: gateway.clientToken }, { baseURL })
  const authorized = { baseURL, headers: { authorization: `Bearer ${token.accessToken}` } }
  const metric = await putMetric(METRIC, {}, authorized)
  const events = await putLogEvents(LOG_EVENTS, {}, {}, authorized)
  const refused = await putLogEvents(LOG_EVENTS, {}, {}, { baseURL })
  return {
    accepted: [metric.data.accepted, events.data.accepted],
    // Its fetch gives each answer the type of the good one.
    code: refused.status === 403 ? (refused.data as unknown as PutLogEvents403).error.code : undefined
  }
}
