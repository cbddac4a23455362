import { CONNECTIONS } from './bench.js'
import { logBody, metricBody } from './bodies.js'
import type { LoadJob } from './load/index.js'

/** A kind of request that intake is measured with. */
export interface Case {
  path: string
  items: number
  label: string
  body: string
}

export const LOG_CASES: Case[] = [1, 10, 50].map(items => ({
  path: '/logEvents',
  items,
  label: `${items} event${items === 1 ? '' : 's'}`,
  body: logBody(items)
}))
export const METRIC_CASES: Case[] = [1, 20].map(items => ({
  path: '/metric',
  items,
  label: `${items} point${items === 1 ? '' : 's'}`,
  body: metricBody(items)
}))
export const CASES = [...LOG_CASES, ...METRIC_CASES]

/** @param token undefined for requests without a token */
export function jobOf (port: number, token: string | undefined, { path, body }: Case): LoadJob {
  return { port, path, bodies: [body], connections: CONNECTIONS, ...(token !== undefined && { token }) }
}
