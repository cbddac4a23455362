import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import { createToken, putLogEvents, putMetric, type MetricDatum } from './generated/orval'
import { PutLogEventsResponse, PutMetricBody, PutMetricResponse } from './generated/orval-zod'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: MetricDatum = { MetricName: 'm', Value: 1, Unit: 'ms' }

/** Bodies and answers are held against the zod schemas, too. */
export async function call (): Promise<Outcome> {
  const token = await createToken({ clientToken: gateway.clientToken })
  if (token.status !== 201) throw new Error(token.data.error.message)
  const headers = { authorization: `Bearer ${token.data.accessToken}` }
  if (PutMetricBody.safeParse({ params: { Namespace: 'generated', MetricData: [wrong] } }).success) {
    throw new Error('zod takes a unit that CloudWatch does not have')
  }
  const metric = await putMetric(PutMetricBody.parse(METRIC), { headers })
  const events = await putLogEvents(LOG_EVENTS, undefined, { headers })
  const refused = await putLogEvents(LOG_EVENTS)
  return {
    accepted: [PutMetricResponse.parse(metric.data).accepted, PutLogEventsResponse.parse(events.data).accepted],
    code: refused.status === 403 ? refused.data.error.code : undefined
  }
}
