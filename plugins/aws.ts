import { CloudWatchClient } from '@aws-sdk/client-cloudwatch'
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { clientOptions, DEFAULT_TIMEOUTS } from '../lib/sinks/client-options.js'

declare module 'fastify' {
  interface FastifyInstance { aws: { cloudwatch: CloudWatchClient, logs: CloudWatchLogsClient } }
}

/** Owns `fastify.aws`: the clients of both APIs. Credentials and endpoints are found by the SDK's own rules. */
async function aws (fastify: FastifyInstance): Promise<void> {
  const options = { region: fastify.config.AWS_REGION, ...clientOptions({ ...DEFAULT_TIMEOUTS, requestTimeoutMs: fastify.config.AWS_REQUEST_TIMEOUT_MS }) }
  const cloudwatch = new CloudWatchClient(options)
  const logs = new CloudWatchLogsClient(options)
  fastify.decorate('aws', { cloudwatch, logs })
  fastify.addHook('onClose', async () => {
    cloudwatch.destroy()
    logs.destroy()
  })
}

export default fp(aws, { name: 'aws', dependencies: ['config'] })
