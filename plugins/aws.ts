import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Sink } from '../lib/delivery/sinks/sink.js'
import { SinkThread } from '../lib/delivery/thread/sink-thread.js'

declare module 'fastify' {
  interface FastifyInstance { aws: { metrics: Sink, logs: Sink } }
}

const THREAD = new URL('../lib/delivery/thread/deliver.js', import.meta.url)

/** Owns `fastify.aws`: the sinks of both APIs, in a thread of their own, which alone loads the SDK. */
async function aws (fastify: FastifyInstance): Promise<void> {
  const { config, applications, rateLimiters, log } = fastify
  const thread = new SinkThread({
    module: THREAD,
    data: { region: config.AWS_REGION, requestTimeoutMs: config.AWS_REQUEST_TIMEOUT_MS, background: config.FORWARDER === 'on' },
    rateLimiters,
    retentionDaysFor: group => applications.retentionDaysFor(group) ?? config.LOG_RETENTION_DAYS,
    concurrency: config.FORWARDER_CONCURRENCY,
    log
  })
  fastify.decorate('aws', { metrics: thread.sink('metrics'), logs: thread.sink('logs') })
  fastify.addHook('onClose', () => thread.close())
}

export default fp(aws, { name: 'aws', dependencies: ['config', 'applications', 'rate-limiters'] })
