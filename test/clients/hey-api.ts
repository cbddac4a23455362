import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import type { MetricDatum } from './generated/hey-api'
import { client } from './generated/hey-api/client.gen'
import { createToken, putLogEvents, putMetric } from './generated/hey-api/sdk.gen'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: MetricDatum = { MetricName: 'm', Value: 1, Unit: 'ms' }

export async function call (): Promise<Outcome> {
  client.setConfig({ baseUrl: gateway.url })
  const { data: token } = await createToken({ body: { clientToken: gateway.clientToken } })
  const auth = (): string => token!.accessToken
  const metric = await putMetric({ auth, body: METRIC })
  const events = await putLogEvents({ auth, body: LOG_EVENTS })
  const refused = await putLogEvents({ body: LOG_EVENTS })
  return { accepted: [metric.data?.accepted, events.data?.accepted], code: refused.error?.error.code }
}
