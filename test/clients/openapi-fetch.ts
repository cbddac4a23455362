import createClient from 'openapi-fetch'
import { gateway, LOG_EVENTS, METRIC, type Outcome } from './gateway'
import type { components, paths } from './generated/openapi-typescript'

// @ts-expect-error a unit that CloudWatch does not have
export const wrong: components['schemas']['MetricDatum'] = { MetricName: 'm', Value: 1, Unit: 'ms' }

export async function call (): Promise<Outcome> {
  const client = createClient<paths>({ baseUrl: gateway.url })
  const { data: token } = await client.POST('/token', { body: { clientToken: gateway.clientToken } })
  const headers = { authorization: `Bearer ${token?.accessToken}` }
  const metric = await client.POST('/metric', { headers, body: METRIC })
  const events = await client.POST('/logEvents', { headers, body: LOG_EVENTS })
  const refused = await client.POST('/logEvents', { body: LOG_EVENTS })
  return { accepted: [metric.data?.accepted, events.data?.accepted], code: refused.error?.error.code }
}
