import type { Bench } from '../bench.js'
import { logBody } from '../bodies.js'
import type { LoadResult } from '../load/index.js'
import type { Gateway } from '../sides.js'

/** Events in each request with which a store is filled. */
export const EVENTS_IN_REQUEST = 50
const FILL_CONNECTIONS = 16

/** Sends log events of one stream as fast as they are accepted. @throws Error unless all are accepted */
export async function sendLogEvents ({ load }: Bench, gateway: Gateway, items: number): Promise<LoadResult> {
  return await load.all({
    port: gateway.port,
    path: '/logEvents',
    token: await gateway.token(),
    bodies: [logBody(EVENTS_IN_REQUEST)],
    connections: FILL_CONNECTIONS
  }, items / EVENTS_IN_REQUEST)
}
