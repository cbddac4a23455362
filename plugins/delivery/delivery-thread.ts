import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Sink } from '../../lib/delivery/sinks/sink.js'
import type { DeliverSettings } from '../../lib/delivery/thread/deliver.js'
import { SinkThread } from '../../lib/delivery/thread/sink-thread.js'

declare module 'fastify' {
  interface FastifyInstance { sinks: { metrics: Sink, logs: Sink } }
}

const THREAD = new URL('../../lib/delivery/thread/deliver.js', import.meta.url)

/** Owns `fastify.sinks`: the sinks of CloudWatch, in a thread of their own, so that no request waits for a batch. */
async function deliveryThread (fastify: FastifyInstance): Promise<void> {
  const { config, applications, rateLimiters, usage, log } = fastify
  const settings: DeliverSettings = {
    region: config.AWS_REGION,
    requestTimeoutMs: config.AWS_REQUEST_TIMEOUT_MS,
    background: config.FORWARDER === 'on',
    logEventBuffer: config.LOG_EVENT_BUFFER
  }
  const thread = new SinkThread({
    module: THREAD,
    data: settings,
    rateLimiters,
    retentionDaysFor: group => applications.retentionDaysFor(group) ?? config.LOG_RETENTION_DAYS,
    mayCreateFor: usage.mayCreate,
    concurrency: config.FORWARDER_CONCURRENCY,
    log
  })
  fastify.decorate('sinks', { metrics: thread.sink('metrics'), logs: thread.sink('logs') })
  fastify.addHook('onClose', () => thread.close())
}

export default fp(deliveryThread, {
  name: 'delivery-thread', dependencies: ['config', 'applications', 'rate-limiters', 'usage']
})
