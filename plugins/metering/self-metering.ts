import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { unixNow } from '../../lib/clock.js'
import type { MeteredCall } from '../../lib/metering/metered-call.js'

/** The tags of the routes that applications call. */
const METERED_TAGS = ['tokens', 'telemetry']
/** Statuses of calls that were refused before any work: for their caller, their body or a limit. */
const TURNED_AWAY = [401, 402, 403, 413, 415, 429]

function sizeOf (contentLength: unknown): number | undefined {
  const size = Number(contentLength ?? NaN)
  return Number.isSafeInteger(size) ? size : undefined
}

/** The call without data of the person behind it: no address, no browser, and no query, which may hold a token. */
function toCall (request: FastifyRequest, reply: FastifyReply): MeteredCall {
  const requestMessageSize = sizeOf(request.headers['content-length'])
  const responseMessageSize = sizeOf(reply.getHeader('content-length'))
  return {
    id: request.id,
    timestamp: Math.round(unixNow() - reply.elapsedTime),
    ...(request.applicationId !== null && { application: request.applicationId }),
    method: request.method,
    url: request.routeOptions.url!,
    responseCode: reply.statusCode,
    gatewayLatency: reply.elapsedTime,
    totalLatency: reply.elapsedTime,
    ...(requestMessageSize !== undefined && { requestMessageSize }),
    ...(responseMessageSize !== undefined && { responseMessageSize }),
    correlationId: request.id,
    turnedAway: TURNED_AWAY.includes(reply.statusCode)
  }
}

/** Owns the metering of calls of the gateway's own public routes, for which no answer waits. */
async function selfMetering (fastify: FastifyInstance): Promise<void> {
  const { config, metering, log } = fastify
  if (config.METERING === 'off' || metering === null) return
  const underWay = new Set<Promise<void>>()

  fastify.addHook('onResponse', (request, reply, done) => {
    done()
    const tags = request.routeOptions.schema?.tags ?? []
    if (!tags.some(tag => METERED_TAGS.includes(tag))) return
    const storing = metering.acceptCall(toCall(request, reply))
      .catch((error: unknown) =>
        log.error({ err: error, call: request.id }, 'a call cannot be stored, and is not metered'))
      .finally(() => underWay.delete(storing))
    underWay.add(storing)
  })
  fastify.addHook('onClose', async () => { await Promise.all(underWay) })
}

export default fp(selfMetering, { name: 'self-metering', dependencies: ['config', 'metering', 'token'] })
