import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import { createToken, defaults, putLogEvents, putMetric, type MetricDatum } from './generated/oazapfts'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: MetricDatum = { MetricName: 'm', Value: 1, Unit: 'ms' }

export async function call (): Promise<Outcome> {
  defaults.baseUrl = gateway.url
  const token = await createToken({ clientToken: gateway.clientToken })
  if (token.status !== 201) throw new Error(token.data.error.message)
  const headers = { authorization: `Bearer ${token.data.accessToken}` }
  const metric = await putMetric(METRIC, {}, { headers })
  const events = await putLogEvents(LOG_EVENTS, {}, { headers })
  const refused = await putLogEvents(LOG_EVENTS, {})
  return {
    accepted: [metric, events].map(answer => answer.status === 201 ? answer.data.accepted : undefined),
    code: refused.status === 403 ? refused.data.error.code : undefined
  }
}
