import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import { Api, type MetricDatum } from './generated/swagger-typescript-api'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: MetricDatum = { MetricName: 'm', Value: 1, Unit: 'ms' }

export async function call (): Promise<Outcome> {
  const client = new Api<string>({
    baseUrl: gateway.url,
    securityWorker: token => token === null ? {} : { headers: { authorization: `Bearer ${token}` } }
  })
  const refused = await client.logEvents.putLogEvents(LOG_EVENTS)
  client.setSecurityData((await client.token.createToken({ clientToken: gateway.clientToken })).data.accessToken)
  const metric = await client.metric.putMetric(METRIC)
  const events = await client.logEvents.putLogEvents(LOG_EVENTS)
  return { accepted: [metric.data.accepted, events.data.accepted], code: refused.error.error.code }
}
