import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Sink } from '../lib/sinks/sink.js'
import { SinkThread } from '../lib/sinks/thread/sink-thread.js'

declare module 'fastify' {
  interface FastifyInstance { aws: { metrics: Sink, logs: Sink } }
}

const THREAD = new URL('../threads/deliver.js', import.meta.url)

/** Owns `fastify.aws`: the sinks of both APIs. A process that takes requests, too, has them in a thread of their own, and does not load the SDK. */
async function aws (fastify: FastifyInstance): Promise<void> {
  const { config, applications, pace: paces, log } = fastify
  const settings = { region: config.AWS_REGION, requestTimeoutMs: config.AWS_REQUEST_TIMEOUT_MS }
  const retentionDaysFor = (group: string): number | undefined => applications.retentionDaysFor(group) ?? config.LOG_RETENTION_DAYS
  if (config.FORWARDER === 'only') {
    const { createAwsSinks } = await import('../threads/aws-sinks.js')
    const sinks = createAwsSinks({ ...settings, paces, retentionDaysFor })
    fastify.decorate('aws', sinks)
    fastify.addHook('onClose', () => sinks.close())
    return
  }
  const thread = new SinkThread({ module: THREAD, data: settings, paces, retentionDaysFor, log })
  fastify.decorate('aws', { metrics: thread.sink('metrics'), logs: thread.sink('logs') })
  fastify.addHook('onClose', () => thread.close())
}

export default fp(aws, { name: 'aws', dependencies: ['config', 'applications', 'pace'] })
